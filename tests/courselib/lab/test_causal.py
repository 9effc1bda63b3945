"""The causal model: what it can do, that it needs nothing of ours, and what is said when it cannot be loaded."""

import json
import os
import shutil
import subprocess
import sys
import time

import pytest
import torch

from courselib.lab import models, runtime
from courselib.lab.data import worlds
from courselib.lab.models import causal
from courselib.lab.models.causal import FOLDER, load_causal, log_likelihood, next_token_loss
from courselib.lab.models.tokenizer import train_tokenizer
from courselib.pretraining import make_causal


@pytest.fixture(scope="module")
def course_model():
    return models.load("causal")


def nats_a_word(pretrained, name, n=60):
    texts, truth = worlds.world(name).texts(n, "test", seed=5), worlds.world(name).grammar("test")
    words = sum(len(truth.tokens(text)) for text in texts)
    return -sum(log_likelihood(*pretrained, texts)) / words, -sum(truth.log_prob(text) for text in texts) / words


def test_it_comes_near_the_exact_entropy_of_its_world_and_nowhere_near_another(course_model):
    modelled, exact = nats_a_word(course_model, "general")
    assert exact <= modelled < exact + 0.10  # nobody can be below; a bigram model would be far above
    foreign, true = nats_a_word(course_model, "clinical")
    assert foreign > true + 2


def test_it_is_a_hugging_face_model_without_us():
    code = (
        "import sys; sys.modules['courselib'] = None  # whoever imports it now gets an ImportError\n"
        "from transformers import AutoModelForCausalLM, AutoTokenizer\n"
        "folder = sys.argv[1]\n"
        "tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder)\n"
        "ids = tokenizer('The', return_tensors='pt')\n"
        "out = model.generate(**ids, max_new_tokens=8, do_sample=False)\n"
        "print(type(model).__name__, sum(p.numel() for p in model.parameters()), out.shape[1])\n"
    )
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    done = subprocess.run([sys.executable, "-c", code, str(FOLDER)], capture_output=True, text=True, env=environment, cwd="/")
    assert done.returncode == 0, done.stderr
    kind, parameters, length = done.stdout.split()
    assert kind == "LlamaForCausalLM" and int(parameters) <= 5_000_000 and 2 < int(length) <= 12


def test_widths_suit_four_bit_kernels_and_the_weights_are_small(course_model):
    for name, module in course_model.model.named_modules():
        if isinstance(module, torch.nn.Linear) and name != "lm_head":
            assert module.in_features % 64 == 0 and module.out_features % 64 == 0, name
    assert sum(path.stat().st_size for path in FOLDER.parent.rglob("*.safetensors")) <= 20_000_000


def test_loading_takes_less_than_a_second(course_model):
    begun = time.process_time()
    load_causal()
    assert time.process_time() - begun < 1


def test_the_card_states_what_is_measured(course_model):
    card = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert f"{sum(p.numel() for p in course_model.model.parameters()):,} parameters" in card
    modelled, exact = nats_a_word(course_model, "general")
    row = next(line for line in card.splitlines() if line.startswith("| general"))
    stated_exact, stated = (float(cell) for cell in row.split("|")[2:4])
    assert abs(stated_exact - exact) < 0.05 and abs(stated - modelled) < 0.06  # other texts, the same world


def test_the_likelihood_does_not_depend_on_padding_or_company(course_model):
    texts = worlds.world("general").texts(5, "test", seed=9)
    together = log_likelihood(*course_model, texts)
    alone = [log_likelihood(*course_model, [text])[0] for text in texts]
    assert together == pytest.approx(alone, abs=2e-3)
    ids = [0, *course_model.tokenizer(texts[0])["input_ids"], 0]
    loss = next_token_loss(course_model.model, torch.tensor([ids]))
    assert -loss.item() * (len(ids) - 1) == pytest.approx(alone[0], abs=2e-3)


def test_the_template_marks_exactly_what_the_assistant_says(course_model):
    talk = [{"role": "user", "content": "Name a colour."}, {"role": "assistant", "content": "Blue."},
            {"role": "user", "content": "Another."}, {"role": "assistant", "content": "Red."}]
    tokenizer = course_model.tokenizer
    out = tokenizer.apply_chat_template(talk, return_assistant_tokens_mask=True, return_dict=True)
    said = [token for token, mask in zip(out["input_ids"], out["assistant_masks"], strict=True) if mask]
    assert tokenizer.decode(said) == "Blue.<|end|>Red.<|end|>"
    prompt = tokenizer.apply_chat_template(talk[:1], add_generation_prompt=True, tokenize=False)
    assert tokenizer.apply_chat_template(talk[:2], tokenize=False).startswith(prompt)


def test_the_tokenizer_loses_nothing_and_refuses_a_vocabulary_without_bytes():
    tokenizer = train_tokenizer(["the cat sat on the mat. " * 20], vocab_size=300)
    for text in ("naïve\n\tif x:  # 你好", " two  spaces", "the cat"):
        assert tokenizer.decode(tokenizer(text)["input_ids"]) == text
    assert len(tokenizer("the cat")["input_ids"]) < 7  # merges were learned
    with pytest.raises(ValueError, match="at least 262 tokens"):
        train_tokenizer(["text"], vocab_size=256)


def test_an_interrupted_pretraining_ends_where_an_uninterrupted_one_does(tmp_path, monkeypatch):
    monkeypatch.setattr(make_causal, "SHAPE", dict(
        hidden_size=64, intermediate_size=64, num_hidden_layers=1, num_attention_heads=1, num_key_value_heads=1,
        max_position_embeddings=512, tie_word_embeddings=True))
    for name, value in {"WORLD_DOCUMENTS": 200, "HELD_OUT": 3, "SAVE_EVERY": 2, "WARMUP": 2, "WINDOW": 16}.items():
        monkeypatch.setattr(make_causal, name, value)
    make_causal.causal(tmp_path / "whole", steps=6)

    class Interrupted(Exception):
        pass

    save = make_causal._save_state

    def save_then_stop(*arguments):
        save(*arguments)
        raise Interrupted

    monkeypatch.setattr(make_causal, "_save_state", save_then_stop)
    with pytest.raises(Interrupted):
        make_causal.causal(tmp_path / "parts", steps=6)
    monkeypatch.setattr(make_causal, "_save_state", save)
    assert json.loads((tmp_path / "parts" / "state.json").read_text())["step"] == 2
    make_causal.causal(tmp_path / "parts", steps=6)
    whole, parts = (load_causal(tmp_path / name).model.state_dict() for name in ("whole", "parts"))
    for name, value in whole.items():
        torch.testing.assert_close(parts[name], value, rtol=0, atol=1e-5)
    assert (tmp_path / "whole" / "loss.csv").read_text() == (tmp_path / "parts" / "loss.csv").read_text()
    assert not list((tmp_path / "parts").glob("state*"))


def test_a_folder_that_is_no_model_is_told_before_anything_is_loaded(tmp_path):
    with pytest.raises(FileNotFoundError, match="no causal model at"):
        load_causal(tmp_path / "nothing")
    shutil.copytree(FOLDER, tmp_path / "model")
    (tmp_path / "model" / "tokenizer.json").unlink()
    with pytest.raises(FileNotFoundError, match="lacks tokenizer.json"):
        load_causal(tmp_path / "model")
    shutil.copy(FOLDER / "tokenizer.json", tmp_path / "model")
    weights = tmp_path / "model" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(ValueError, match="broke off"):
        load_causal(tmp_path / "model")


def test_a_tokenizer_of_another_model_is_refused(tmp_path):
    shutil.copytree(FOLDER, tmp_path / "model")
    larger = train_tokenizer([str(i) * 3 + " " + hex(i) for i in range(60_000)], vocab_size=6000)
    larger.save_pretrained(tmp_path / "model")
    with pytest.raises(ValueError, match="do not belong together"):
        load_causal(tmp_path / "model")


def test_a_folder_in_hub_layout_and_the_hub_switch(tmp_path, monkeypatch):
    """The real loading code, as a Hub model would go through it; only the download is a local folder."""
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = train_tokenizer(["some words to merge " * 9], vocab_size=300)
    config = LlamaConfig(vocab_size=300, hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=2,
                         num_key_value_heads=1)
    LlamaForCausalLM(config).save_pretrained(tmp_path / "owner" / "model")
    tokenizer.save_pretrained(tmp_path / "owner" / "model")
    loaded = models.load("causal", str(tmp_path / "owner" / "model"))
    assert loaded.model.config.hidden_size == 64 and loaded.model.device.type == runtime.device().type
    monkeypatch.chdir(tmp_path)
    assert models.load("causal", "owner/model").model.config.hidden_size == 64
    monkeypatch.setenv("COURSE_SCALE", "hub")
    monkeypatch.setattr(causal, "HUB_ID", "owner/model")
    assert models.load("causal").model.config.hidden_size == 64
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)  # else it tries the network, again and again
    with pytest.raises(ConnectionError, match="could not be fetched"):
        models.load("causal", "no-such-owner/no-such-model")


def test_the_hubs_own_cache_and_a_chapters_cells_on_what_it_gives(tmp_path):
    """Offline, from a cache laid out as the Hub lays it out; then a chapter's functions on the model that came."""
    from transformers import LlamaConfig, LlamaForCausalLM

    home = tmp_path / "models--owner--model"
    snapshot = home / "snapshots" / "0123456789abcdef"
    config = LlamaConfig(vocab_size=300, hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=2,
                         num_key_value_heads=1)
    LlamaForCausalLM(config).save_pretrained(snapshot)
    train_tokenizer(["some words to merge " * 9], vocab_size=300).save_pretrained(snapshot)
    (home / "blobs").mkdir()
    for number, file in enumerate(sorted(snapshot.iterdir())):
        blob = home / "blobs" / f"{number:040x}"
        file.rename(blob)
        file.symlink_to(os.path.relpath(blob, snapshot))
    (home / "refs").mkdir()
    (home / "refs" / "main").write_text(snapshot.name)
    code = (
        "from courselib.lab import models, runtime\n"
        "from courselib.domain.adaptation import continue_pretraining, nats_per_word\n"
        "assert runtime.scale() == 'hub'\n"
        "loaded = models.load('causal', 'owner/model')\n"
        "after = continue_pretraining(loaded, 'clinical', documents=8, steps=2)\n"
        "print(loaded.model.config.hidden_size, nats_per_word(after, 'clinical', texts=2) > 0)\n"
    )
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HUB_CACHE": str(tmp_path), "COURSE_SCALE": "hub",
                                "PYTHONPATH": os.pathsep.join(sys.path)}  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["64", "True"]


def test_precision_and_placement_follow_the_device(monkeypatch):
    monkeypatch.setattr(runtime, "device", lambda: torch.device("cpu"))
    assert causal._how(False) == {"dtype": torch.float32}
    assert causal._how(True)["device_map"] == {"": "cpu"}
    monkeypatch.setattr(runtime, "device", lambda: torch.device("cuda"))
    assert causal._how(False) == {"dtype": torch.float32, "device_map": {"": "cuda"}}
    monkeypatch.setenv("COURSE_SCALE", "hub")
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    on_gpu = causal._how(True)
    assert on_gpu["dtype"] == torch.bfloat16 and on_gpu["device_map"] == {"": "cuda"}
    quantised = on_gpu["quantization_config"]
    assert (quantised.load_in_4bit, quantised.bnb_4bit_quant_type, quantised.bnb_4bit_use_double_quant) == (True, "nf4", True)
    assert quantised.bnb_4bit_compute_dtype == torch.bfloat16


def test_a_hub_model_as_it_is_and_in_four_bits(tmp_path, monkeypatch):
    """Random weights in the layout of a Hub model; of real size, 160 million parameters, where there is a GPU."""
    from transformers import LlamaConfig, LlamaForCausalLM

    from courselib.domain.adaptation import continue_pretraining

    gpu = runtime.device().type == "cuda"
    width, layers = (768, 12) if gpu else (128, 2)
    monkeypatch.setenv("COURSE_SCALE", "hub")
    tokenizer = train_tokenizer(worlds.world("general").texts(100), vocab_size=600)
    config = LlamaConfig(vocab_size=32_000 if gpu else 600, hidden_size=width, intermediate_size=2 * width,
                         num_hidden_layers=layers, num_attention_heads=width // 64)  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    whole, small = load_causal(tmp_path), load_causal(tmp_path, four_bit=True)
    assert whole.model.device.type == small.model.device.type == runtime.device().type
    assert whole.model.dtype == runtime.dtype()
    assert small.model.get_memory_footprint() < 0.75 * whole.model.get_memory_footprint()
    continue_pretraining(whole, "clinical", documents=8, steps=2)


def test_four_bits_on_this_device(course_model):
    small = load_causal(four_bit=True)
    import bitsandbytes

    assert any(isinstance(m, bitsandbytes.nn.Linear4bit) for m in small.model.modules())
    assert small.model.get_memory_footprint() < 0.5 * course_model.model.get_memory_footprint()
    modelled, _ = nats_a_word(course_model, "general", n=15)
    quantised, _ = nats_a_word(small, "general", n=15)
    assert 0 < abs(quantised - modelled) < 0.1  # rounded, and still the same model
