"""What the libraries do and what a training step keeps: names, defaults, accumulation, checkpointing, autocast."""

import torch
from torch import nn
from torch.nn import functional as F

from courselib.claims.computed import Computed, computes
from courselib.claims.computing.on_sizes import empty_bert, size
from courselib.pretraining import mini
from courselib.qlora import paging, saving


@computes("q-task-params")
def _a_field_that_nobody_reads() -> Computed:
    model = mini.mini_model("mlm").eval()
    had = hasattr(model.config, "task_specific_params")
    ids = torch.tensor([[5, 6, 7]])
    with torch.no_grad():
        before = model(ids).logits
        model.config.task_specific_params = {"sentiment": {"num_labels": 2}}
        changed = int((model(ids).logits != before).sum())
    return Computed(had or changed > 0, {"outputs that change": changed})


@computes("m-tokentype")
def _one_kind_of_sentence() -> Computed:
    model, ids = mini.mini_model("mlm").eval(), torch.tensor([[5, 6, 7, 8]])
    with torch.no_grad():
        off = float((model(ids).logits - model(ids, token_type_ids=torch.zeros_like(ids)).logits).abs().max())
    return Computed(off == 0, {"difference in outputs": off})


@computes("m-pipe1")
def _names_of_tasks() -> Computed:
    from transformers.pipelines import SUPPORTED_TASKS, TASK_ALIASES

    there = sum(TASK_ALIASES.get(name, name) in SUPPORTED_TASKS for name in ("sentiment-analysis", "ner"))
    return Computed(there == 2, {"names that exist of two": there})


@computes("m-neutral")
def _labels_of_a_classifier() -> Computed:
    from transformers import DistilBertConfig
    from transformers.pipelines import SUPPORTED_TASKS

    default = SUPPORTED_TASKS["text-classification"]["default"]["model"][0]
    labels = DistilBertConfig().num_labels  # what the default model's own configuration leaves as it is
    return Computed(labels > 2 or not default.endswith("sst-2-english"), {"labels": labels})


@computes("m-adamw")
def _where_adamw_lives() -> Computed:
    import transformers

    there = int(hasattr(transformers, "AdamW"))
    return Computed(there == 1, {"names AdamW in transformers": there, "in torch.optim": int(hasattr(torch.optim, "AdamW"))})


@computes("m-seqcls")
def _numbers_of_a_classifier() -> Computed:
    return Computed(size(empty_bert(head=True)) == 109_483_778, {"parameters": size(empty_bert(head=True))})


@computes("ov-accum")
def _sums_and_means() -> Computed:
    torch.manual_seed(0)
    model = nn.Linear(4, 3).double()
    tokens = torch.randn(8, 4).double()

    def losses(model: nn.Module, batch: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(model(batch), torch.arange(len(batch)) % 3, reduction="none")

    small = [tokens[:3], tokens[3:6], tokens[6:]]  # labels go 0 1 2 0 1 2 0 1, so the pieces fit the whole
    whole = saving.accumulated_gradient(model, losses, [tokens])
    by_tokens, by_batch = (saving.accumulated_gradient(model, losses, small, by_tokens=by) for by in (True, False))
    off = float((by_tokens - whole).norm() / whole.norm())
    return Computed(off < 1e-9, {"difference when divided by all tokens": off,
                                 "relative error of a mean of means": float((by_batch - whole).norm() / whole.norm())})


@computes("ov-ckpt")
def _once_more_forward() -> Computed:
    layers = [nn.Sequential(nn.Linear(64, 64), nn.GELU(), nn.Linear(64, 64), nn.GELU()) for _ in range(6)]
    (kept, work), (kept_less, more) = saving.kept_when_checkpointed(layers, torch.randn(32, 64)).values()
    return Computed(kept_less < kept / 2 and more / work < 1.5, {
        "operations compared with before": more / work, "bytes kept compared with before": kept_less / kept})


@computes("ov-amp-half")
def _bytes_a_parameter() -> Computed:
    full, mixed = 4 + 4 + 8, 2 + 2 + 4 + 8  # weight, gradient, moments; and the copy in 32 bits
    layer = nn.Linear(8, 8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = layer(torch.randn(2, 8))
    bits = {kind: 8 * tensor.element_size() for kind, tensor in (("weight", layer.weight), ("output", out))}
    return Computed(mixed <= full / 2 and bits["weight"] == 16, {
        "bytes a parameter in float32": full, "in mixed precision": mixed,
        "bits of a weight under autocast": bits["weight"], "of an output": bits["output"]})


@computes("ov-offload")
def _pages_over_the_bus() -> Computed:
    fits, offloaded = (paging.step_with_pages(10, room, peak, page_gb=0.5, bus_gb_s=25, compute_s=0.5)
                       for room, peak in ((10, 10), (10, 4)))
    return Computed(offloaded.pages > fits.pages and offloaded.waiting > fits.waiting, {
        "pages moved when all fit": fits.pages, "when four stay": offloaded.pages, "seconds a step when all fit": fits.waiting,
        "when four stay, in seconds": offloaded.waiting})
