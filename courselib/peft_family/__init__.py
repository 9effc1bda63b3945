"""Chapter 09: the family of methods that train few parameters, a file a method, in the order of the chapter.

putting      something in the place of a model's linear layers
bottleneck   adapters: a narrow detour behind a layer
prompts      prompt tuning and P-tuning: vectors in front of the words
prefix       prefix tuning and P-tuning v2: keys and values in every layer
ia3          (IA)^3: outputs made louder or softer
dora         DoRA: the length of a row apart from its direction
starts       PiSSA's start, and what it makes of a file
adalora      AdaLoRA: an update whose ranks can be switched off
allocation   which of them stay: importance, budget, mask
planted      a teacher with planted ranks, to test the allocation
loraplus     LoRA+: two learning rates
vera         VeRA: shared random matrices, and random projections
composing    several adapters at once
arithmetic   task vectors, TIES, DARE
digit_runs   small runs on digits with swapped pixels
costs        what each method costs, counted and timed
race         the fair race on a small language model
"""
