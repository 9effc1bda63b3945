"""Chapter 01: what is hidden, what is seen, tokens and shapes."""

import torch

from courselib.claims.computed import Computed, computes
from courselib.claims.computing.on_sizes import empty_bert, size
from courselib.pretraining import attention, masking, mini, objectives

FOX = "The quick brown fox jumps over the lazy dog."


def course_tokenizer():
    """The tokenizer of the course's encoder, which has the vocabulary of bert-base-uncased."""
    from transformers import AutoTokenizer

    from courselib.lab.models.encoder import find_encoder

    return AutoTokenizer.from_pretrained(find_encoder())


@computes("m-mlm-15")
def _coins_of_the_collator() -> Computed:
    import inspect

    from transformers import DataCollatorForLanguageModeling

    ids = torch.randint(1000, 30_000, (1000, 200), generator=torch.Generator().manual_seed(0))
    drawn = masking.mlm_corrupt(ids, torch.zeros_like(ids).bool(), 103, 30_522, generator=torch.Generator().manual_seed(1))
    counts = masking.corruption_counts(ids, drawn, 103)
    chosen = int((drawn.labels != masking.IGNORE).sum())
    default = {name: p.default for name, p in inspect.signature(DataCollatorForLanguageModeling).parameters.items()}
    as_said = (default["mlm_probability"], default["mask_replace_prob"], default["random_replace_prob"]) == (0.15, 0.8, 0.1)
    return Computed(as_said, {"chosen": chosen / ids.numel(), "hidden of chosen": counts["hidden"] / chosen,
                              "swapped of chosen": counts["swapped"] / chosen})


@computes("m-mlm-fig")
def _two_of_six() -> Computed:
    return Computed(round(2 / 6, 2) == 0.15, {"share hidden": 2 / 6, "expected of six": 0.15 * 6})


@computes("m-mlm-loss")
def _the_other_hidden_word() -> Computed:
    model = mini.mini_model("mlm").eval()
    ids = torch.tensor([[5, 6, 7, 8, 9]])
    hidden, mask = ids.clone(), 3
    hidden[0, [1, 3]] = mask  # two tokens hidden, as the loss has it
    alone = ids.clone()
    alone[0, 1] = mask  # all tokens but one, as the formula has it
    with torch.no_grad():
        p, q = (model(x).logits[0, 1].log_softmax(-1) for x in (hidden, alone))
    gap = float((p - q).abs().max())
    return Computed(gap < 1e-6, {"log p differs by": gap})


def _pairs() -> list[objectives.Pair]:
    documents = [[f"Sentence {i} of text {text}." for i in range(5)] for text in range(4)]
    return objectives.nsp_pairs(documents, 40)


@computes("m-nsp")
def _half_of_the_pairs() -> Computed:
    follow = sum(pair[2] == 0 for pair in _pairs()) / 40
    return Computed(follow == 0.5, {"share that follow": follow})


@computes("m-nsp-table")
def _labels_of_pairs() -> Computed:
    against = 0
    for first, second, label in _pairs():
        (i, a), (j, b) = ((int(words[1]), words[4]) for words in (first.split(), second.split()))
        against += (a == b and j == i + 1) != (label == 0)
    return Computed(against == 0, {"pairs labelled against the text": against})


@computes("m-ctx")
def _a_later_token_changes() -> Computed:
    moved = {}
    for kind in ("mlm", "clm"):
        model = mini.mini_model(kind).eval()
        change = attention.influence(lambda ids, model=model: model(ids).logits, torch.tensor([[5, 6, 7, 8, 9]]), 10)
        moved[kind] = float(change.triu(1).max())
    return Computed(moved["clm"] == 0 and moved["mlm"] > 1e-4, {
        "causal model's earlier outputs move by": moved["clm"], "masked model's": moved["mlm"]})


@computes("m-vocab")
def _size_of_a_vocabulary() -> Computed:
    from transformers import BertConfig

    tokens = BertConfig().vocab_size
    return Computed(tokens == 30_522, {"tokens": tokens, "tokens of the course's encoder": len(course_tokenizer())})


@computes("m-params")
def _numbers_of_bert() -> Computed:
    return Computed(size(empty_bert()) == 109_482_240, {"parameters": size(empty_bert())})


@computes("m-tokens")
def _ids_of_the_fox() -> Computed:
    ids = course_tokenizer()(FOX)["input_ids"]
    figures = {"ids": len(ids), "first": ids[0], "second": ids[1], "last": ids[-1]}
    return Computed(ids[:2] == [101, 1996] and ids[-1] == 102, figures)


@computes("m-shape")
def _shapes_of_bert() -> Computed:
    model = empty_bert()
    with torch.no_grad():
        out = model(torch.zeros(1, 12, dtype=torch.long, device="meta"))
    hidden, pooled = out.last_hidden_state.shape, out.pooler_output.shape
    layers, heads = model.config.num_hidden_layers, model.config.num_attention_heads
    return Computed((*hidden, *pooled, layers, heads) == (1, 12, 768, 1, 768, 12, 12), {
        "positions": hidden[1], "width": hidden[2], "pooled": pooled[1], "layers": layers, "heads": heads})


@computes("m-multimask")
def _two_blanks_that_belong_together() -> Computed:
    joint = torch.tensor([[0.5, 0.0], [0.0, 0.5]])  # "salt … pepper" or "bread … butter", never mixed
    each = joint.sum(1)[:, None] * joint.sum(0)[None]  # what one pass can say: a distribution a position
    never = float(each[joint == 0].sum())
    return Computed(never > 0, {"chance of a pair that never occurs": never})


@computes("m-mlm-title")
def _weights_after_use() -> Computed:
    model = mini.mini_model("mlm").eval()
    before = {name: p.clone() for name, p in model.state_dict().items()}
    with torch.no_grad():
        model(torch.tensor([[5, 3, 7]]))
    changed = sum(int((before[name] != p).sum()) for name, p in model.state_dict().items())
    return Computed(changed > 0, {"weights that changed": changed})
