"""Chapter 08: LoRA, one idea a module, in the order of the chapter.

counting    how many parameters and bytes it saves, and of what
spectrum    the singular values behind the low-rank hypothesis
by_hand     every gradient, an attention layer and an AdamW step without autograd
layer       one linear layer with adapters
inject      a whole model with adapters: add, switch, merge, count
files       adapters on disk, in peft's format
finetuning  an encoder on 48 sentences: full, LoRA, frozen, and two nulls
swaps       a task whose needed rank is planted: digits with swapped pixels
habits      a small language model with new habits: where to adapt, what is learned, what is forgotten
spending    the activations and the operations of a step, counted

Papers: Hu et al. 2021, arXiv:2106.09685; Kalajdzievski 2023, arXiv:2312.03732.
"""

from courselib.lora.by_hand import (
    AttentionCache,
    AttentionWeights,
    adamw_step,
    attention_backward,
    attention_forward,
    lora_forward,
    lora_gradients,
    softmax_rows,
)
from courselib.lora.counting import (
    GPT3Reduction,
    adamw_memory,
    attention_budget,
    gpt3_reduction,
    multi_task_ratio,
    parameter_count,
    reduction_factor,
    reduction_share,
    remaining_share,
    tasks_for_ratio,
)
from courselib.lora.files import load_adapter, save_adapter
from courselib.lora.inject import (
    TrainableReport,
    adapter_names,
    add_lora,
    disabled,
    linear_layers,
    merge,
    set_adapter,
    trainable_report,
    unmerge,
)
from courselib.lora.layer import LinearLoRA
from courselib.lora.spectrum import energy, rank_for_energy, stable_rank, truncate

__all__ = [
    "AttentionCache", "AttentionWeights", "GPT3Reduction", "LinearLoRA", "TrainableReport", "adamw_memory",
    "adamw_step", "adapter_names", "add_lora", "attention_backward", "attention_budget", "attention_forward",
    "disabled", "energy", "gpt3_reduction", "linear_layers", "load_adapter", "lora_forward", "lora_gradients",
    "merge", "multi_task_ratio", "parameter_count", "rank_for_energy", "reduction_factor", "reduction_share",
    "remaining_share", "save_adapter", "set_adapter", "softmax_rows", "stable_rank", "tasks_for_ratio",
    "trainable_report", "truncate", "unmerge",
]
