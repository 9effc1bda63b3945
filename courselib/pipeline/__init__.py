"""A sentiment classifier from a table of texts to a prediction, one stage a module, in the order of chapter 02.

splits         duplicates, leaks, and a split by group
dataset        token ids, truncation, padding, batches that can be taken up again
schedules      warm-up, clipping, groups of parameters
checkpoints    history, early stopping, best and last, resuming bit by bit
metrics        the confusion matrix and what follows from it
inference      labels with confidence, many texts at a time
augmentation   deletion, insertion, swap, synonyms, mixup
heads          small experiments on ready sentence vectors: overfitting, hyper-parameters

The training loop is `courselib.lab.training.fit`.
"""

from courselib.pipeline import augmentation, checkpoints, dataset, heads, inference, metrics, schedules, splits

__all__ = ["augmentation", "checkpoints", "dataset", "heads", "inference", "metrics", "schedules", "splits"]
