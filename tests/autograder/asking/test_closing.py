"""Closed modules: nothing of them can be used, however it was come by, and afterwards all is as before."""

import sys
from functools import partial

import pytest
import torch

from autograder.asking.closing import ClosedModule, StandIn, closed, holds_stand_in
from courselib import lora
from courselib.lora import LinearLoRA, finetuning, lora_gradients
from courselib.lora.finetuning import RATES_IN_18_STEPS

LAYER = LinearLoRA(torch.nn.Linear(3, 3), 2, 4)
TRUNCATE = partial(lora.truncate, torch.eye(3), 1)


def by_default(how=lora.truncate):
    return how(torch.eye(3), 1)


WAYS = {
    "a module's attribute": lambda: lora.truncate(torch.eye(3), 1),
    "a name of the notebook's": lambda: lora_gradients(torch.ones(1, 3), *[torch.ones(3, 3)] * 3, 1.0),
    "a class": lambda: LinearLoRA(torch.nn.Linear(3, 3), 2, 4),
    "a layer made before": lambda: LAYER(torch.ones(1, 3)),
    "a partial": lambda: TRUNCATE(),
    "a default": by_default,
    "a table": lambda: finetuning.RATES_IN_18_STEPS["full"],
    "a table by its name": lambda: RATES_IN_18_STEPS["full"],
    "an import": lambda: exec("from courselib import lora\nlora.truncate(1, 2)", {}),
    "an import of a module in it": lambda: exec("import courselib.lora.spectrum as s\ns.truncate(1, 2)", {}),
    "an import of everything": lambda: exec("from courselib.lora import *", {}),
    "a base class": lambda: exec("from courselib.lora import LinearLoRA\nclass Mine(LinearLoRA): pass", {}),
    "a comparison": lambda: lora.truncate is None or lora.spectrum == 3,
}


@pytest.mark.parametrize("way", WAYS)
def test_nothing_of_a_closed_module_can_be_used(way):
    with closed(["courselib.lora"], globals()), pytest.raises(ClosedModule, match=r"^this uses courselib\.lora, which is"):
        WAYS[way]()


def test_afterwards_all_is_as_before():
    before = dict(globals())
    with pytest.raises(ZeroDivisionError), closed(["courselib.lora"], globals()):
        import courselib.lora.layer  # noqa: F401

        assert type(globals()["lora"]) is StandIn
        raise ZeroDivisionError
    assert globals() == before and sys.modules["courselib.lora"] is lora and sys.modules["courselib"].lora is lora
    assert TRUNCATE().shape == (3, 3) and LAYER(torch.ones(1, 3)).shape == (1, 3) and by_default().shape == (3, 3)
    exec("from courselib.lora.spectrum import truncate\ntruncate(torch.eye(3), 1)", {"torch": torch})


def test_what_is_open_stays_open_and_can_be_imported_anew():
    with closed(["courselib.lora"], globals()):
        from courselib.lab import runtime

        assert runtime.device().type in ("cpu", "cuda", "mps") and torch.nn.Linear(2, 2)(torch.ones(1, 2)).shape == (1, 2)


def test_a_function_made_within_an_answer_still_finds_pythons_own_names():
    def answer(n):
        return sum(map(lambda i: len(range(i)), range(n)))

    with closed(["courselib.lora"], globals()):
        assert answer(4) == 6


def test_a_name_that_the_answer_itself_changes_keeps_its_value():
    space = {"lora": lora}
    with closed(["courselib.lora"], space):
        space["lora"] = "mine"
    assert space == {"lora": "mine"}


def test_an_output_that_holds_something_closed_is_found():
    thing = StandIn("courselib.lora")
    assert [holds_stand_in(value) for value in (thing, (1, thing.x), {"a": [thing]}, (1, "x"), torch.ones(2), None)] == [
        "courselib.lora", "courselib.lora", "courselib.lora", None, None, None,
    ]  # fmt: skip
