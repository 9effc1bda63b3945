"""The laboratory: what more than one chapter uses. It imports no chapter's room.

runtime          device, threads, seeds: set in one place
training         the one training loop
in_turn          one task after another, and the hooks of a method against forgetting
callbacks        early stopping
checkpoints      weights on disk, the best, the last and those on the way; runs to go on with bit by bit
rates            warm-up and a straight line down
by_length        rows of unequal length, computed with little padding
classification   an encoder with a head on sentences: batches, loss, optimizer, predictions
experiments      an experiment over seeds, its table, and results that are kept
measured         what was measured before: chapters/measured
fingerprint      what a kept result depends on, as one hash
reach            which rooms of courselib an experiment reaches
plots            the course's figures: style, intervals, an explorer with a slider
data/            sentences, worlds, prose and digits
models/          the pretrained encoder, its head for masked words, the small language model
"""
