"""Chapter 10: QLoRA, quantisation and memory, one idea a module, in the order of the chapter.

levels       sixteen numbers: linear, quantiles, NF4, Lloyd-Max; what each costs on a normal distribution, and the bound
blocks       a constant for each block, codes, packing: bit for bit as bitsandbytes does it
double       the constants quantised in their turn
mxfp4        the format of newer accelerators, beside NF4
layer        a frozen 4-bit linear layer that LoRA stands beside
merging      three ways to merge an adapter that was trained on a 4-bit base
finetuning   a small language model: full, LoRA and QLoRA on one lesson, and what merging costs
saving       accumulation, checkpointing, precision, 8-bit moments: what each saves, counted
paging       optimiser state that does not fit: what moving it costs, by a clock of its own
llama_shape  a Llama as far as its memory goes: matrices, and what its forward pass keeps
bert_shape   the same for a BERT
shapes       both by one face; well-known models by name, and any config.json
memory       will it fit? the peak of a training, itemised

Paper: Dettmers et al. 2023, "QLoRA: Efficient Finetuning of Quantized LLMs", arXiv:2305.14314.
"""
