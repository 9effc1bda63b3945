"""Chapter 01: pretraining.

tokens        byte-pair encoding, word pieces, and a model's size from its configuration
masking       which tokens to hide: the 80/10/10 rule
objectives    masked, causal and next-sentence losses
mat           sentences about a mat, whose exact distribution is known
mini          a mini masked and a mini causal model, trained side by side
tagging       names in a text: a token classifier
generating    sampling: temperature, top-k
make_causal   the course's language model, made again
make_masked   the encoder's head for masked words, made again
"""

from __future__ import annotations

from courselib.pretraining.generating import generate, next_distribution, top_k
from courselib.pretraining.masking import IGNORE, Corrupted, corruption_counts, mlm_corrupt, mlm_labels
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
from courselib.pretraining.objectives import (
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
from courselib.pretraining.tagging import Entity, aggregate_entities, entity_scores, tagged_sentences, train_tagger
from courselib.pretraining.tokens import bert_parameters, bpe, merges_of, wordpiece

__all__ = [
    "Corrupted", "Entity", "IGNORE", "MiniRun", "Pair", "aggregate_entities", "answer", "bert_parameters", "blanks", "bpe",
    "causal_mask", "clm_loss", "corruption_counts", "entity_scores", "generate", "influence", "kl_to_exact",
    "labels_per_sequence", "least_loss", "loss_gradient", "merges_of", "mini_model", "mlm_corrupt", "mlm_labels", "mlm_loss",
    "next_distribution", "nsp_loss", "nsp_pairs", "sentences_to_reach", "tagged_sentences", "top_k", "train_mini",
    "train_tagger", "wordpiece",
]
