"""Chapter 02b: a sentiment classifier from a table of texts to a prediction, one stage a module, in the order of the chapter.

splits         duplicates, leaks, and a split by group
dataset        token ids, truncation, padding, batches that can be taken up again
schedules      warm-up, clipping, groups of parameters
watching       early stopping that writes down the scores
metrics        the confusion matrix and what follows from it
uncertainty    intervals over texts, calibration
inference      labels with confidence, many texts at a time
augmentation   deletion, insertion, swap, synonyms, mixup
overfitting    small experiments on ready sentence vectors: overfitting, hyper-parameters

The training loop is `courselib.lab.training.fit`.
"""
