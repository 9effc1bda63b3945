"""Chapter 03: what a domain shift is, mixing, rules of thumb beside one another."""

import numpy as np

from courselib.claims.computed import REGISTERED, Computed, computes
from courselib.claims.computing import on_text_losses  # noqa: F401 (the row on labels is the one on frequencies)
from courselib.claims.computing.on_reading import course_tokenizer
from courselib.domain import adaptation, guidelines
from courselib.domain.shift import kl_divergence, tables_moved
from courselib.domain.vocabulary import pieces
from courselib.forgetting import plane

GENERAL, CLINICAL = np.array([0.5, 0.3, 0.15, 0.05]), np.array([0.1, 0.2, 0.3, 0.4])


def ranges_meet(*ranges: tuple[float, float]) -> bool:
    """Is there a number that lies in all of these closed ranges?"""
    return max(low for low, _ in ranges) <= min(high for _, high in ranges)


def _tables(source: np.ndarray, target: np.ndarray, steps: int = 400) -> np.ndarray:
    """Word probabilities after descent on the target's cross-entropy, begun at the source's: what continued pretraining does."""
    logits = np.log(source)
    for _ in range(steps):
        p = np.exp(logits) / np.exp(logits).sum()
        logits = logits - 0.5 * (p - target)
    return np.exp(logits) / np.exp(logits).sum()


@computes("da-shift")
def _three_kinds_of_shift() -> Computed:
    source = np.array([[0.4, 0.1], [0.1, 0.4]])
    inputs = np.array([[0.64, 0.16], [0.04, 0.16]])  # P(y | x) stands
    labels = np.array([[0.64, 0.04], [0.16, 0.16]])  # P(x | y) stands
    meaning = np.array([[0.1, 0.4], [0.4, 0.1]])
    kinds = {tables_moved(source, target).kind() for target in (inputs, labels, meaning)}
    return Computed(tables_moved(source, source).kind() == "none" and "none" not in kinds, {"kinds told apart": len(kinds)})


@computes("da-cpt-obj")
def _the_domains_own_frequencies() -> Computed:
    reached = _tables(GENERAL, CLINICAL)
    apart = kl_divergence(CLINICAL, reached)
    return Computed(apart < 1e-6, {"distance from the domain's frequencies": apart})


@computes("da-cpt-forget")
def _nats_lost_on_the_old_words() -> Computed:
    lost = [kl_divergence(GENERAL, _tables(GENERAL, CLINICAL, steps)) for steps in (5, 400)]
    return Computed(0 < lost[0] < lost[1], {"nats lost after 5 steps": lost[0], "after 400": lost[1]})


computes("da-task-ft")(REGISTERED["z2-px"])


@computes("da-depth")
def _farther_and_worse() -> Computed:
    a, b = plane.tasks()
    path = plane.walk(b, plane.minimum(a), steps=60)
    losses = [float(a.loss(w)) for w in path[::15]]
    return Computed(losses == sorted(losses), {f"old loss at distance {float((w - path[0]).norm()):.2f}": loss
                                               for w, loss in zip(path[::15], losses, strict=True)})


@computes("da-size-table")
def _what_five_hundred_samples_ask_for() -> Computed:
    rules = {guidelines.recommend_by_size(500).says, "LoRA or adapters"}  # by the table, and by the second rule
    return Computed(len(rules) == 1, {"strategies advised for 500 samples": len(rules)})


@computes("cpt-mix")
def _a_mixed_batch() -> Computed:
    domain, general = [3.0, 2.0, 4.0], [1.0]
    mean = sum(domain + general) / 4
    off = abs(mean - adaptation.mixed_loss(sum(domain) / 3, general[0], 0.75))
    return Computed(off < 1e-12, {"difference from the mean over a batch": off})


@computes("cpt-alpha-opt")
def _a_price_for_forgetting() -> Computed:
    alphas, domain, general = [0.25, 0.5, 1.0], [2.0, 1.7, 1.5], [1.0, 1.2, 2.0]
    free, dear = (adaptation.choose_alpha(alphas, domain, general, 1.0, price) for price in (0.0, 10.0))
    return Computed(dear < free, {"α without a price": free, "α at a high price": dear})


@computes("cpt-alpha-vs-000")
@computes("cpt-replay-35")
def _two_rules_for_a_share() -> Computed:
    first, second = (0.1, 0.5), guidelines.ALPHA_WITHOUT_SIZE
    return Computed(ranges_meet(first, second), {"largest share of the first": first[1], "smallest of the second": second[0]})


@computes("ex004-4")
def _pieces_of_medical_words() -> Computed:
    terms = ["diabetes", "hypertension", "myocardial infarction"]
    counts = {word: len(cut) for word, cut in pieces(course_tokenizer(), terms).items()}
    return Computed(any(n > len(word.split()) for word, n in counts.items()), counts)
