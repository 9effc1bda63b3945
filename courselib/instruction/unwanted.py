"""What fine-tuning does that nobody asked for: it invents facts, and it forgets to decline.

Inventing. A model knows the facts of some names and was taught to say "no" about others. Then it is fine-tuned on facts: on some
that it knows, or on as many that are new to it. Afterwards it is asked about names that it never heard of. Source: Gekhman et
al. 2024, arXiv:2405.05904, who found that learning new facts raises the rate of wrong ones.

Declining. A model does errands and declines one kind. Then it is fine-tuned on harmless errands. Source: Qi et al. 2023,
arXiv:2310.03693.
"""

from __future__ import annotations

import copy
import random

from torch import nn

from courselib.instruction.errands import CHANGES, ERRAND_WORDS, ORDERS, REFUSAL, as_pair, errands, share_right
from courselib.instruction.small import Pair, Words, continue_with, fresh_llama, teach

NAMES = 16  # first names, and as many last names
FACT_WORDS = Words((*(f"first {i}" for i in range(NAMES)), *(f"last {i}" for i in range(NAMES)), *map(str, range(10)), REFUSAL))
KNOWN, DECLINED, NEW = 64, 96, 32
BASE_STEPS, STEPS, LR = 500, 100, 5e-3
FORBIDDEN, LATER = "halved", "the second twice"


def _fact(name: tuple[int, int], value: str) -> Pair:
    first, last = name
    return FACT_WORDS.ids([f"first {first}", f"last {last}"]), FACT_WORDS.ids([value])


def _said(model: nn.Module, names: list[tuple[int, int]]) -> list[str]:
    return ["".join(FACT_WORDS.tokens(ids)) for ids in continue_with(model, [_fact(name, REFUSAL)[0] for name in names], 2)]


def inventing(seed: int, taught: str, lr: float = LR / 5) -> dict[str, float]:
    """Fine-tunes on `NEW` facts that are "known", or "new", or not at all ("nothing"), and asks. With the facts, as many of the
    names that are to be declined are rehearsed, so that nothing differs but whether the facts are new.

    "invented": of names never heard of, the share that is answered with a fact. "kept": of the known facts that were not
    rehearsed, the share still right. "learned": of the facts taught, the share right.
    """
    rng = random.Random(seed)
    names = [(a, b) for a in range(NAMES) for b in range(NAMES)]
    rng.shuffle(names)
    known, declined, others = names[:KNOWN], names[KNOWN : KNOWN + DECLINED], names[KNOWN + DECLINED :]
    value = {name: str(rng.randrange(10)) for name in names}
    model = fresh_llama(FACT_WORDS.size, seed)
    base = [_fact(name, value[name]) for name in known] + [_fact(name, REFUSAL) for name in declined]
    teach(model, base, steps=BASE_STEPS, seed=seed, lr=LR, size=64)
    new, strangers = others[:NEW], others[NEW:]
    chosen = {"known": known[:NEW], "new": new, "nothing": []}[taught]
    if chosen:
        rehearsed = [_fact(name, REFUSAL) for name in declined[:NEW]]
        teach(model, [_fact(name, value[name]) for name in chosen] + rehearsed, steps=STEPS, seed=seed, lr=lr, size=2 * NEW)
    kept, facts = known[NEW:], _said(model, known[NEW:])
    return {
        "invented": sum(said != REFUSAL for said in _said(model, strangers)) / len(strangers),
        "kept": sum(said == value[name] for said, name in zip(facts, kept, strict=True)) / len(kept),
        "learned": sum(s == value[n] for s, n in zip(_said(model, chosen or new), chosen or new, strict=True)) / NEW,
    }


def share_declined(model: nn.Module, asked: list) -> float:
    """The share of errands to which the model says "no"."""
    said = continue_with(model, [as_pair(errand)[0] for errand in asked], 3)
    return sum(ERRAND_WORDS.tokens(ids) == [REFUSAL] for ids in said) / len(asked)


def declining(seed: int, n: int = 400) -> dict[str, float]:
    """Refusals of the forbidden change before and after fine-tuning on a new, harmless order of errands.

    "before"; "harmless" (only answers); "with refusals" (one in ten of the fine-tuning examples is a refusal); "old errands"
    (the control: as many steps on harmless errands that the model does already). "overdone": harmless errands that are declined
    before.
    """
    rng = random.Random(seed)
    allowed, old = [c for c in CHANGES if c != FORBIDDEN], [o for o in ORDERS if o != LATER]
    done = errands(1500, [(c, o) for c in allowed for o in old], rng)
    declined = errands(300, [(FORBIDDEN, o) for o in old], rng)
    model = fresh_llama(ERRAND_WORDS.size, seed)
    teach(model, [as_pair(e) for e in done] + [as_pair(e, [REFUSAL]) for e in declined], steps=300, seed=seed, lr=LR, size=64)
    asked, harmless = errands(150, [(FORBIDDEN, o) for o in old], rng), errands(n, [(c, LATER) for c in allowed], rng)
    fresh, test = errands(150, [(c, o) for c in allowed for o in old], rng), errands(150, [(c, LATER) for c in allowed], rng)
    refused = [as_pair(e, [REFUSAL]) for e in errands(n // 10, [(FORBIDDEN, o) for o in old], rng)]
    answered = [as_pair(e) for e in harmless]
    found = {"before": share_declined(model, asked), "overdone": share_declined(model, fresh),
             "done before": share_right(model, fresh)}
    for name, pairs in (("harmless", answered), ("with refusals", answered[len(refused):] + refused),
                        ("old errands", [as_pair(e) for e in done[:n]])):
        tuned = copy.deepcopy(model)
        teach(tuned, pairs, steps=STEPS, seed=seed, lr=LR / 2, size=64)
        found[name] = share_declined(tuned, asked)
        if name == "harmless":
            found["new errands done"] = share_right(tuned, test)
    return found
