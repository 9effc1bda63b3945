"""Chapter 03: domain adaptation.

shift         how far apart two domains are: distributions, KL divergence
guidelines    concept shift: the same text, labelled by another rule
vocabulary    what a tokenizer makes of a domain's words
loss          the mean over tokens and over documents, and their gradients
adaptation    continued pretraining, perplexity, mixing, forgetting
small_model   the course's small language model, adapted
matched       how much is forgotten when the same has been learned
packing       many documents in one window, kept apart
task          a task of the domain, fine-tuned before and after
curriculum    the order in which texts come
"""

from courselib.domain.adaptation import (
    choose_alpha,
    continue_pretraining,
    forgetting_percent,
    mixed_loss,
    nats_per_character,
    nats_per_word,
    perplexity,
)

__all__ = [
    "choose_alpha", "continue_pretraining", "forgetting_percent", "mixed_loss", "nats_per_character", "nats_per_word",
    "perplexity",
]
