"""Chapter 06: instruction tuning.

chat          the template: a conversation as text, and which tokens the assistant said
loss          labels, the loss of a response and of a chain of thought, and the means you may meet instead
tuning        conversations in batches, and the causal model fine-tuned on them
answering     asking a model, token by token; whether it is right, and whether it stops
small         models of under a tenth of a million weights, for what needs many runs
arithmetic    sums: plain, reversed, with a scratchpad, and with filler
length        weights for long examples, and the lengths that come of them
packing       several conversations in a row, kept apart by a mask
errands       a world of instructions where data can be spoilt and counted
quality       how many pairs against how many right ones; kinds of instruction
unwanted      invented facts, and refusals that are forgotten
stages        what is trained on, and what is trained: two axes
measurements  the runs that take longer than a chapter may, and what came of them
"""
