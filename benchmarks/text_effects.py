"""Effects on generated text, with the course's causal model."""

from collections.abc import Sequence

from measured import Check, Effect, Measured

from courselib import models
from courselib.domain import continue_pretraining, nats_per_word, perplexity
from courselib.experiments import run


def adapt(seed: int, alpha: float) -> dict:
    """Continued pretraining on clinical notes: perplexity a word in both worlds, before and after."""
    before = models.load("causal")
    after = continue_pretraining(before, "clinical", alpha=alpha, seed=seed)
    return {
        f"{world} {when}": perplexity(nats_per_word(model, world, seed=seed))
        for world in ("clinical", "general") for when, model in (("before", before), ("after", after))
    }


def domain_adaptation(seeds: Sequence[int], cache: bool = True) -> Measured:
    table = run(adapt, {"clinical only": {"alpha": 1.0}, "half general": {"alpha": 0.5}}, seeds, cache=cache)

    def column(world: str, when: str, setting: str = "clinical only") -> list[float]:
        return table.column(f"{world} {when}", setting)

    fall = [100 * (1 - a / b) for a, b in zip(column("clinical", "after"), column("clinical", "before"), strict=True)]
    start, alone = column("general", "before"), column("general", "after")
    mixed = column("general", "after", "half general")
    removed = [(a - m) / (a - s) for s, a, m in zip(start, alone, mixed, strict=True)]
    return Measured(
        [
            Check("perplexity of clinical notes falls, in percent", fall, 40),
            Check("share of the forgetting that mixing half general text in removes", removed, 0.5),
        ],
        table, columns=("clinical before", "clinical after", "general before", "general after"),
        note="Perplexity a word. The model has never seen a clinical word before, so it begins at millions and nearly any "
             "training reaches the first target; the exact entropy (`python -m courselib.data.worlds`) is the mark to hold it "
             "against.",
    )


EFFECTS = [
    Effect(
        "Domain adaptation, general to clinical", "perplexity falls ≥ 40 %; mixing general text in removes ≥ half the forgetting",
        domain_adaptation,
    ),
]
