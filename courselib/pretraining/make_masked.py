"""Training the head for masked words, and adapters in the encoder that let it see single words again.

`python -m courselib.pretraining.make_masked` runs this: half an hour at most on one thread.
"""

from __future__ import annotations

import csv
import math
import platform
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional as F

from courselib.lab import runtime
from courselib.lab.data import prose, worlds
from courselib.lab.data.windows import Windows
from courselib.lab.models.encoder import SHA256, Pretrained
from courselib.lab.models.masked import HEAD, HEAD_NAMES, load_masked, trained_weights
from courselib.lab.training import Step, fit
from courselib.pretraining.masking import IGNORE, mlm_corrupt

SEED, STEPS, WARMUP, BATCH, WINDOW, PEAK = 0, 1000, 50, 16, 64, 3e-3
TARGETS, RANK, ALPHA = ("query", "key", "value", "dense"), 4, 8  # every linear layer of the encoder
SHARES = {"prose": 8, "general": 5, "reviews": 3}  # windows of a batch
DOCUMENTS, HELD_OUT_WINDOWS = 3000, 60


def masked(file: Path = HEAD, steps: int = STEPS, documents: int = DOCUMENTS) -> None:
    """Trains the head and writes it to `file`, with its loss curve and a model card beside it."""
    print(runtime.start(SEED))
    begun = time.perf_counter()
    pretrained = load_masked(head=None)
    model, tokenizer = pretrained
    streams = [stream(tokenizer, texts) for texts in corpora("train", documents).values()]
    prepare(model)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=PEAK)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1.0, (step + 1) / WARMUP) * (0.55 + 0.45 * math.cos(math.pi * min(1.0, step / steps)))
    )
    curve: list[tuple[int, float]] = []

    def keep(step: Step) -> None:
        curve.append((step.number, step.loss))

    questions = Questions(pretrained, Windows(streams, list(SHARES.values()), WINDOW - 2, SEED))
    fit(model, questions, masked_loss, optimizer, steps=steps, scheduler=schedule, max_grad_norm=1.0, callbacks=[keep])
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file(trained_weights(model), file, metadata={"encoder": SHA256})
    _write_card(file, load_masked(head=file), curve, time.perf_counter() - begun)
    print(f"Written to {file}.")


def prepare(model) -> None:
    """Adapters on the encoder, everything else of it frozen; all of the head trainable but the tied word vectors."""
    from courselib.lora import add_lora  # here, for a chapter may close it and still load the model

    add_lora(model.bert, TARGETS, RANK, ALPHA)
    for name, parameter in model.cls.predictions.named_parameters():
        parameter.requires_grad_(name in HEAD_NAMES)


def corpora(split: str, documents: int = DOCUMENTS) -> dict[str, list[str]]:
    """What the head reads, by the names in SHARES: nothing of the test split is in the training split."""
    found = {"prose": prose.english(split) + prose.docstrings(split)}
    return found | {name: worlds.world(name).texts(documents, split, SEED) for name in SHARES if name != "prose"}


def stream(tokenizer, texts: list[str]) -> Tensor:
    """All texts one after another, parted by [SEP]: (tokens,)."""
    rows = tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]
    return torch.tensor([token for row in rows for token in (*row, tokenizer.sep_token_id)])


class Questions:
    """Endless batches (tokens with blanks, labels), each (windows, WINDOW): windows between [CLS] and [SEP], 15 % corrupted."""

    def __init__(self, pretrained: Pretrained, windows: Windows) -> None:
        self.tokenizer, self.windows = pretrained.tokenizer, windows

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        t = self.tokenizer
        draw = torch.Generator().manual_seed(self.windows.seed)
        for window in self.windows:
            ids = F.pad(F.pad(window.cpu(), (1, 0), value=t.cls_token_id), (0, 1), value=t.sep_token_id)
            special = (ids == t.cls_token_id) | (ids == t.sep_token_id)
            asked = mlm_corrupt(ids, special, t.mask_token_id, len(t), generator=draw)
            yield asked.input_ids.to(window.device), asked.labels.to(window.device)


def masked_loss(model, batch: tuple[Tensor, Tensor]) -> Tensor:
    """Mean cross-entropy in nats at the chosen places."""
    return F.cross_entropy(*_answers(model, batch))


def _answers(model, batch: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Logits (places, vocab) at the chosen places only, for 30,522 a place are many, and what belongs there (places,)."""
    ids, labels = batch
    hidden = model.bert(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state  # (batch, seq, hidden)
    chosen = labels != IGNORE
    return model.cls(hidden[chosen]), labels[chosen]


@torch.no_grad()
def measure(pretrained: Pretrained, texts: list[str], windows: int = HELD_OUT_WINDOWS, seed: int = 1) -> dict[str, float]:
    """On `windows` windows of `texts`: "nats" a masked token, and the share "first" that is guessed right at once.

    "commonest" is the share that always saying the texts' commonest token would get: what is there without reading.
    """
    model, tokenizer = pretrained
    batches = iter(Questions(pretrained, Windows([stream(tokenizer, texts)], [BATCH], WINDOW - 2, seed)))
    nats, hits, answers = 0.0, 0, []
    for _ in range(math.ceil(windows / BATCH)):
        logits, labels = _answers(model, next(batches))
        nats += F.cross_entropy(logits, labels, reduction="sum").item()
        hits += (logits.argmax(-1) == labels).sum().item()
        answers += labels.tolist()
    commonest = max(answers.count(token) for token in set(answers))
    return {"nats": nats / len(answers), "first": hits / len(answers), "commonest": commonest / len(answers)}


def _write_card(file: Path, pretrained: Pretrained, curve: list[tuple[int, float]], seconds: float) -> None:
    with (file.parent / "loss.csv").open("w", newline="", encoding="utf-8") as opened:
        rows = [("step", "loss in nats a masked token"), *((n, f"{loss:.4f}") for n, loss in curve[9::10])]
        csv.writer(opened, lineterminator="\n").writerows(rows)
    held_out = corpora("test", 300) | {"clinical (never read)": worlds.world("clinical").texts(300, "test", SEED)}
    rows = []
    for name, texts in held_out.items():
        found = measure(pretrained, texts)
        rows.append(f"| {name} | {found['nats']:.2f} | {found['first']:.2f} | {found['commonest']:.2f} |")
    card = CARD.format(
        parameters=sum(value.numel() for value in load_file(file).values()), peak=PEAK, warmup=WARMUP,
        rank=RANK, steps=len(curve), batch=BATCH, window=WINDOW, seed=SEED,
        shares=", ".join(f"{name} {share}/{BATCH}" for name, share in SHARES.items()),
        minutes=seconds / 60, machine=platform.machine(), threads=torch.get_num_threads(), torch=torch.__version__,
        sha256=SHA256, table="\n".join(rows),
    )
    (file.parent / "README.md").write_text(card, encoding="utf-8")


CARD = """# A head for masked words, for all-MiniLM-L6-v2

The published encoder has no head for masked words. This one was trained for the course: a linear layer, a layer norm and a
bias for every token, together with LoRA adapters of rank {rank} on all linear layers of the encoder; {parameters:,}
parameters in half precision. The word vectors they compare with are the encoder's own.
`python -m courselib.pretraining.make_masked` makes it, and writes this card.

- **Encoder**: the file with the SHA-256 {sha256}.
- **Data**: windows of the topics and docstrings that come with Python ("prose") and of the generated worlds `general` and
  `reviews` ({shares}).
- **Recipe**: AdamW, peak learning rate {peak}, {warmup} steps of warm-up, then a cosine; {steps} steps of
  {batch} windows of {window} tokens, of which 15 % are asked for (80/10/10); seed {seed}. The loss curve is in `loss.csv`.
- **Made in** {minutes:.0f} minutes on {machine}, {threads} thread(s), torch {torch}.

What it can do on held-out text: nats a masked token, the share guessed right at once, and the share that the commonest
token alone would get.

| text | nats | right at once | commonest |
|---|---|---|---|
{table}

It completes sentences like those it has read. It is no BERT: that one read three billion words.
"""

if __name__ == "__main__":
    masked()
