"""Where a name comes from, at the edges: imports in odd places, loops, cells that do not parse."""

import pytest

from autograder.asking.state import State
from autograder.notebooks.names import SHORT, Names, Ran, imports_for, names_in, not_asked, only_demonstrated

DEMONSTRATION = """\
import numpy as np, os.path
from torch import nn, optim as opt
try:
    import matplotlib.pyplot as plt
except ImportError:
    plt = None

def show(x):
    import json
    inside = 1
    return np.asarray(x)

for seed, (a, *rest) in enumerate([]):
    total: float = seed
with open("x") as file:
    pass
%matplotlib inline
"""


def test_imports_and_what_is_made_are_told_apart():
    assert names_in(DEMONSTRATION).brought == {
        "np": "import numpy as np", "os": "import os.path", "nn": "from torch import nn", "opt": "from torch import optim as opt",
        "plt": "import matplotlib.pyplot as plt",
    }
    assert names_in(DEMONSTRATION).made == {"show", "seed", "a", "rest", "total", "file"}
    assert names_in("from x import *").brought == {}
    for source in ("import x\nimport(", "import x\ny = '\ud800'", "import x\0", "import x\n" + "(" * SHORT):
        assert names_in(source) == Names({}, frozenset(), frozenset())


def test_a_demonstration_brings_the_imports_that_a_student_leans_on_and_no_others():
    student = ["def f(x):\n    return nn.functional.relu(x) + np.ones(1)", "y = (", "opt"]
    assert imports_for(DEMONSTRATION, student) == "import numpy as np\nfrom torch import nn\nfrom torch import optim as opt"
    assert imports_for(DEMONSTRATION, ["np = 1\n\ndef f(nn):\n    opt = nn\n    return opt"]) == ""  # names of their own
    assert imports_for(DEMONSTRATION, []) == ""
    assert names_in("class A(np.B):\n    c = d\n    def e(self):\n        return [f for g in h]").used >= {"np", "d", "h", "f"}


def test_the_last_cell_that_binds_a_name_decides_whose_it_is():
    shown = Ran("SEEDS = range(5)\nrank = 8\nimport math", demonstration=True)
    assert only_demonstrated([shown]) == {"SEEDS", "rank"}
    assert only_demonstrated([shown, Ran("rank = 4")]) == {"SEEDS"}
    assert only_demonstrated([Ran("rank = 4"), shown]) == {"SEEDS", "rank"}
    assert only_demonstrated([shown, Ran("import rank")]) == {"SEEDS"}


FINE, BROKEN = Ran("def f(x):\n    return x"), Ran("def f(x)\n    return x", "SyntaxError: expected ':' (line 1)")
RAISED = Ran("f = 1 / 0", "ZeroDivisionError: division by zero")


@pytest.mark.parametrize("there, cells, state, words", [
    (True, [FINE], None, ""),
    (True, [FINE, BROKEN], State.RAISED, "the cell that defines f is not Python, so nothing in it was run: SyntaxError: "),
    (True, [BROKEN, FINE], None, ""),  # mended
    (True, [FINE, RAISED], None, ""),  # the older one is what the name stands for
    (False, [RAISED], State.RAISED, "the cell that defines f raised ZeroDivisionError: division by zero, so there is no f"),
    (False, [Ran("f == 1", "NameError: x")], State.NOT_ATTEMPTED, "there is no f yet"),
    (False, [Ran("def g():\n    def f(): pass")], State.NOT_ATTEMPTED, "there is no f yet"),
    (False, [], State.NOT_ATTEMPTED, "there is no f yet"),
    (True, [Ran("x = f(2", "SyntaxError: '(' was never closed (line 1)"), FINE], None, ""),
])
def test_what_is_said_in_place_of_asking(there, cells, state, words):
    found = not_asked("f", there, cells)
    assert (found is None) if state is None else (found[0] is state and found[1].startswith(words))
