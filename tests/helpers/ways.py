"""Four dozen answers to the exercises of chapter 08: right in odd ways, wrong, closed, mutating, undefined, broken.

Each is written as a student would: source for the answer cell, in which {model} is the model answer and {name} its name, and
perhaps cells of their own before it. `earns` is what they get of the points: all, none, or some (whatever the parts say).
"""

from __future__ import annotations

from dataclasses import dataclass

ALL, NONE, SOME = "all", "none", "some"


@dataclass(frozen=True)
class Way:
    earns: str
    answer: str
    own: tuple[str, ...] = ()  # cells before the answer's


def around(body: str) -> str:
    """The model answer, and a function of the same name around it whose body may use `right`, `given` and `inputs`."""
    return "{model}\n\nright_{name} = {name}\n\n\ndef {name}(*given, **inputs):\n    right = right_{name}\n    " + body


WAYS: dict[str, Way] = {
    # right
    "as the course does it": Way(ALL, "{model}"),
    "a list": Way(ALL, around("return right(*given, **inputs).tolist()")),
    "numpy": Way(ALL, around("return right(*given, **inputs).numpy()")),
    "double": Way(ALL, around("return right(*given, **inputs).double()")),
    "with a graph": Way(ALL, around("return right(*given, **inputs).clone().requires_grad_()")),
    "a list for a tuple": Way(ALL, around("return list(right(*given, **inputs))")),
    "a float for a count": Way(ALL, around("return float(right(*given, **inputs))")),
    "a numpy number": Way(ALL, around("return np.float64(right(*given, **inputs))")),
    "a tensor for a number": Way(ALL, around("return torch.tensor(right(*given, **inputs))")),
    "under other names": Way(ALL, around("return right(*given, **inputs)").replace("(*given, **inputs):", "(*given):", 1).replace(
        "**inputs", "")),
    "an object with __call__": Way(ALL, "{model}\n\n\nclass Answer:\n    asks = staticmethod({name})\n\n    def __call__(self, "
                                        "*given, **inputs):\n        return self.asks(*given, **inputs)\n\n\n{name} = Answer()"),
    "a partial": Way(ALL, "import functools\n\n{model}\n\n{name} = functools.partial({name})"),
    "talkative": Way(ALL, around("print('working', len(inputs))\n    return right(*given, **inputs)")),
    "warning": Way(ALL, around("import warnings\n    warnings.warn('are you sure?')\n    return right(*given, **inputs)")),
    "with a helper in a cell of its own": Way(ALL, around("return helped(right, given, inputs)"), (
        "def helped(right, given, inputs):\n    return right(*given, **inputs)",)),
    "with names that a demonstration imports": Way(ALL, around(
        "plain = nn.Identity()\n    found = right(*given, **inputs)\n    return plain(found)")),
    "another dtype and no gradients, left behind": Way(ALL, around(
        "torch.set_default_dtype(torch.float64)\n    torch.set_grad_enabled(False)\n    return right(*given, **inputs)"), (
        "torch.set_default_dtype(torch.float64)",)),
    "raises after it is defined": Way(ALL, "{model}\n\nassert {name} is None, 'a test of my own'"),
    "mended": Way(ALL, "{model}", ("def {name}(x)\n    return x",)),
    "catches what it may not use": Way(ALL, around(
        "try:\n        from courselib.lora import nothing\n        nothing()\n    except ImportError:\n        pass\n"
        "    return right(*given, **inputs)")),
    # closed
    "an import inside": Way(NONE, "def {name}(*given, **inputs):\n    from courselib.lora import by_hand\n"
                                  "    return by_hand.lora_forward(*given, **inputs)"),
    "an import above": Way(NONE, "from courselib.lora import lora_forward as theirs\n\n\ndef {name}(*given, **inputs):\n"
                                 "    return theirs(*given, **inputs)"),
    "an import in a cell of its own": Way(
        NONE, "def {name}(*given, **inputs):\n    return courselib.lora.truncate(*given, **inputs)", ("import courselib.lora",)),
    "a name that a demonstration imports": Way(NONE, "def {name}(*given, **inputs):\n    return lora.truncate(*given, **inputs)"),
    "a default": Way(NONE, "def {name}(*given, how=lora.parameter_count, **inputs):\n    return how(*given, **inputs)"),
    "another name for it": Way(NONE, "def {name}(*given, **inputs):\n    return mine(*given, **inputs)", ("mine = lora.merge",)),
    "something closed, handed back": Way(NONE, "def {name}(*given, **inputs):\n    import courselib.lora\n"
                                               "    return courselib.lora.counting"),
    # not there
    "untouched": Way(NONE, ""),
    "deleted": Way(NONE, "# nothing"),
    "an undefined name": Way(NONE, "def {name}(*given, **inputs):\n    return no_such_name"),
    "a demonstration's value": Way(NONE, around("gb\n    return right(*given, **inputs)")),
    "not Python": Way(NONE, "def {name}(*given, **inputs)\n    return 0"),
    "not Python any more": Way(NONE, "def {name}(*given, **inputs):\n    return (0", ("{model}",)),
    "raises before it is defined": Way(NONE, "raise ValueError('not yet')\n\n\n{model}"),
    "not a function": Way(NONE, "{name} = 3.0"),
    # wrong
    "None": Way(NONE, "def {name}(*given, **inputs):\n    print('and no return')"),
    "a string": Way(NONE, "def {name}(*given, **inputs):\n    return 'many'"),
    "zero": Way(NONE, "def {name}(*given, **inputs):\n    return 0"),
    "an exception": Way(NONE, "def {name}(*given, **inputs):\n    return {{}}['key']"),
    "exit": Way(NONE, "def {name}(*given, **inputs):\n    raise SystemExit(3)"),
    "floods": Way(NONE, "def {name}(*given, **inputs):\n    while True:\n        print('x' * 1000)"),
    "twice as much": Way(SOME, around("found = right(*given, **inputs)\n    return 2 * found")),
    "nan": Way(SOME, around("return right(*given, **inputs) * float('nan')")),
    "half of it": Way(NONE, around("return right(*given, **inputs)[:1]")),
    # mutating
    "right, and changes its inputs": Way(SOME, around(
        "found = right(*given, **inputs)\n    for value in [*given, *inputs.values()]:\n"
        "        if isinstance(value, Tensor):\n            value.zero_()\n    return found")),
}
TENSORS = ("lora.forward", "lora.truncate", "lora.merge", "lora.attention_forward")
TUPLES = ("lora.gradient", "lora.adamw_step", "lora.attention_backward")
NUMBERS = ("lora.parameter_count", "lora.multi_task_ratio", "lora.static_memory")
ONLY = {
    **dict.fromkeys(("a list", "numpy", "double", "with a graph", "twice as much", "nan", "half of it"), TENSORS),
    "right, and changes its inputs": ("lora.merge",),
    "a list for a tuple": TUPLES, "a float for a count": NUMBERS, "a numpy number": NUMBERS, "a tensor for a number": NUMBERS,
    "with names that a demonstration imports": TENSORS,
}  # fmt: skip


def share_out(exercises: list[str]) -> list[dict[str, str]]:
    """The ways, dealt to as few students as it takes: for each student `exercise id -> way`, each exercise once."""
    students: list[dict[str, str]] = []
    for way in sorted(WAYS, key=lambda way: len(ONLY.get(way, exercises))):  # those that suit anybody last
        able = [i for i in exercises if i in ONLY.get(way, exercises)]
        place = next(((s, i) for s in students for i in able if i not in s), None)
        if place is None:
            students.append({})
            place = (students[-1], able[0])
        place[0][place[1]] = way
    return students
