"""The ten most expensive: errors of the ledger that cost whoever believes them most, and what they cost."""

from __future__ import annotations

from typing import NamedTuple


class Cost(NamedTuple):
    """What believing a row costs: `currency` is money, memory, days or trust; `because` says it in a sentence."""

    id: str
    currency: str
    because: str


TEN = (  # a ranking by judgement, and open to argument; that each row is wrong is computed
    Cost("q-qlora-16gb", "money", "A card is bought, or rented for a month, that cannot hold even the weights."),
    Cost("m-leak", "trust", "A model goes into use on a test that it had learned by heart; the bill comes from its users."),
    Cost("rl-total-sign", "days", "Every step works against the reward, and the run is paid to its end."),
    Cost("ex000-1", "money", "A labelling budget is planned a thousand times too small, and the project fails."),
    Cost("m-mem-997", "memory", "The machine is chosen for the adapter, and the frozen weights and the activations do not fit."),
    Cost("cf-lora-none", "trust", "Nobody measures the old abilities, because they cannot be lost; and so nobody sees them go."),
    Cost("ov-amp-half", "memory", "Half the memory was promised by a flag; the run that counted on it stops at its first step."),
    Cost("cl-recipe-warmup", "days", "The run ends before its learning rate has begun, and the data are blamed for the result."),
    Cost("lp-dir", "days", "Two learning rates are set the wrong way round, and the method is given up for it."),
    Cost("cpt-curr-form", "days", "A curriculum meant to go from easy to hard trains on ever easier texts, in the longest run."),
)
