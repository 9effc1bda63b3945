"""Chapter 01: pretraining.

tokens        byte-pair encoding and how it is learned, word pieces, and a model's size from its configuration
masking       which tokens to hide: the 80/10/10 rule, and T5's spans
attention     who looks at whom, and the mask that keeps the future out
objectives    masked, causal and next-sentence losses
mat           sentences about a mat, whose exact distribution is known
mini          a mini masked and a mini causal model, trained side by side
tagging       names in a text: a token classifier
generating    the next token: temperature, top-k, top-p, beams, and a cache
make_causal   the course's language model, made again
make_masked   the encoder's head for masked words, made again
"""

from __future__ import annotations

from courselib.pretraining.attention import attention_scores, attention_weights, causal_mask, influence
from courselib.pretraining.generating import (
    beam_search,
    cache_numbers,
    generate,
    log_probability,
    next_distribution,
    top_k,
    top_p,
)
from courselib.pretraining.masking import IGNORE, Corrupted, corruption_counts, mlm_corrupt, mlm_labels, span_corrupt
from courselib.pretraining.mini import (
    MiniRun,
    answer,
    blanks,
    kl_to_exact,
    least_loss,
    mini_model,
    sentences_to_reach,
    times_as_many,
    train_mini,
)
from courselib.pretraining.objectives import (
    Pair,
    clm_labels,
    clm_loss,
    consecutive_sentences,
    labels_per_sequence,
    loss_gradient,
    mlm_loss,
    nsp_loss,
    nsp_pairs,
)
from courselib.pretraining.tagging import Entity, aggregate_entities, entity_scores, tagged_sentences, train_tagger
from courselib.pretraining.tokens import bert_parameters, bpe, merge_pair, merges_of, pair_counts, train_bpe, wordpiece

__all__ = [
    "IGNORE", "Corrupted", "Entity", "MiniRun", "Pair", "aggregate_entities", "answer", "attention_scores",
    "attention_weights", "beam_search", "bert_parameters", "blanks", "bpe", "cache_numbers", "causal_mask", "clm_labels",
    "clm_loss", "consecutive_sentences", "corruption_counts", "entity_scores", "generate", "influence", "labels_per_sequence",
    "least_loss", "log_probability", "loss_gradient", "merge_pair", "merges_of", "mini_model", "mlm_corrupt", "mlm_labels",
    "mlm_loss", "next_distribution", "nsp_loss", "nsp_pairs", "pair_counts", "sentences_to_reach", "span_corrupt", "kl_to_exact",
    "tagged_sentences", "times_as_many", "top_k", "top_p", "train_bpe", "train_mini", "train_tagger", "wordpiece",
]
