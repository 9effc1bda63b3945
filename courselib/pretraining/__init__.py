"""Pretraining: the objectives, tokens, two mini models trained side by side, and what is done with a pretrained model."""

from __future__ import annotations

from courselib.pretraining.mini import (
    MiniRun,
    answer,
    blanks,
    kl_to_exact,
    least_loss,
    mini_model,
    sentences_to_reach,
    train_mini,
)

from .generating import generate, next_distribution, top_k
from .masking import IGNORE, Corrupted, corruption_counts, mlm_corrupt, mlm_labels
from .objectives import (
    Pair,
    causal_mask,
    clm_loss,
    influence,
    labels_per_sequence,
    loss_gradient,
    mlm_loss,
    nsp_loss,
    nsp_pairs,
)
from .tagging import Entity, aggregate_entities, entity_scores, tagged_sentences, train_tagger
from .tokens import bert_parameters, bpe, merges_of, wordpiece

__all__ = [
    "Corrupted", "Entity", "IGNORE", "MiniRun", "Pair", "aggregate_entities", "answer", "bert_parameters", "blanks", "bpe",
    "causal_mask", "clm_loss", "corruption_counts", "entity_scores", "generate", "influence", "kl_to_exact",
    "labels_per_sequence", "least_loss", "loss_gradient", "merges_of", "mini_model", "mlm_corrupt", "mlm_labels", "mlm_loss",
    "next_distribution", "nsp_loss", "nsp_pairs", "sentences_to_reach", "tagged_sentences", "top_k", "train_mini",
    "train_tagger", "wordpiece",
]
