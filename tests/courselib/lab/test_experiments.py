"""The harness: what is kept is given back, and whatever could change a result makes it be computed again."""

import json
import os
import runpy
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import torch

from courselib.lab import experiments, fingerprint
from courselib.lab.experiments import Table, run


def counted(calls):
    """An experiment that counts its calls in a file, made anew by exec as a notebook cell makes it."""
    return f"def experiment(seed, x=1):\n    with open({str(calls)!r}, 'a') as f: f.write('.')\n    return {{'y': helper(x)}}\n"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "cache"))
    # other tests and other people may edit courselib while this runs; here it stands still
    monkeypatch.setattr(experiments, "room_hashes", lambda: experiments._AT_IMPORT)
    monkeypatch.setattr(fingerprint, "room_hashes", lambda: experiments._AT_IMPORT)
    return tmp_path / "cache"


@pytest.fixture
def calls(tmp_path):
    path = tmp_path / "calls"
    path.write_text("")
    return lambda: len(path.read_text())


def cell(tmp_path, before="", helper="def helper(x): return x + 1"):
    """Runs a notebook cell in a world of its own and returns the experiment it defines."""
    world = {"__name__": "__main__"}
    exec(before + "\n" + helper + "\n" + counted(tmp_path / "calls"), world)
    return world["experiment"]


def go(experiment, setting=None, seeds=(0, 1)):
    return run(experiment, {"only": setting or {}}, seeds, progress=False)


def plain(seed, x):
    return {"y": 2 * x + seed, "curve": [x]}


def drawn(seed):
    return {"noise": torch.rand(()).item()}


def test_a_seed_may_be_numpys_and_has_to_be_whole(tmp_path, calls):
    table = go(cell(tmp_path), seeds=np.arange(2))
    assert [type(row["seed"]) for row in table.rows] == [int, int]
    go(cell(tmp_path), seeds=[0, 1])
    assert calls() == 2  # the same seeds
    with pytest.raises(ValueError, match="whole number; 0.5 came"):
        go(cell(tmp_path), seeds=[0.5])


def test_every_run_starts_from_its_own_seed():
    both = run(drawn, {"a": {}, "b": {}}, [0, 1], cache=False, progress=False)
    assert both.column("noise", "a") == both.column("noise", "b")
    assert both.column("noise", "a")[1] == run(drawn, {"a": {}}, [1], cache=False, progress=False).rows[0]["noise"]


def test_second_time_comes_from_the_cache_and_is_the_same(tmp_path, calls):
    first, second = go(cell(tmp_path)), go(cell(tmp_path))  # two worlds, the same code: as after a restart
    assert calls() == 2
    assert [row["cached"] for row in first.rows + second.rows] == [False, False, True, True]
    assert [{**row, "cached": 0} for row in first.rows] == [{**row, "cached": 0} for row in second.rows]
    go(cell(tmp_path), seeds=(1, 2))
    assert calls() == 3  # only the new seed
    run(cell(tmp_path), {"another name": {}}, [0], progress=False)
    assert calls() == 3  # what it is called does not matter


CHANGES = {
    "a setting": lambda tmp_path: (cell(tmp_path), {"x": 2}),
    "the helper": lambda tmp_path: (cell(tmp_path, helper="def helper(x): return x + 2"), None),
    "the helper's helper": lambda tmp_path: (cell(tmp_path, "def deep(x): return 3 * x", "def helper(x): return deep(x)"), None),
    "the helper's default": lambda tmp_path: (cell(tmp_path, helper="def helper(x, by=3): return x + by"), None),
}


@pytest.mark.parametrize("what", CHANGES)
def test_changed_code_or_settings_are_computed_again(tmp_path, calls, what):
    go(cell(tmp_path))
    go(*CHANGES[what](tmp_path))
    assert calls() == 4


REACHED = {  # what a cell above holds, of which @ is edited, and how the helper comes to use it
    "constant": ("C = @", "x + C"),
    "nested constant": ("C = {'a': [@]}", "x + C['a'][0]"),
    "in a lambda": ("def deep(): return @", "(lambda: deep())()"),
    "closure": ("def make(n):\n    return lambda x: x + n\nf = make(@)", "f(x)"),
    "method": ("class M:\n    def go(self, x): return @", "M().go(x)"),
    "class attribute": ("class M:\n    k = @", "M.k"),
    "base class": ("class B:\n    def go(self, x): return @\nclass M(B): pass", "M().go(x)"),
    "partial": ("from functools import partial\ndef g(a, x): return a\nf = partial(g, @)", "f(x)"),
}


@pytest.mark.parametrize("what", REACHED)
def test_whatever_the_code_reaches_counts(tmp_path, calls, what):
    above, use = REACHED[what]
    helper = f"def helper(x): return {use}"
    go(cell(tmp_path, above.replace("@", "1"), helper))
    go(cell(tmp_path, above.replace("@", "1"), helper))
    assert calls() == 2
    go(cell(tmp_path, above.replace("@", "2"), helper))
    assert calls() == 4


def test_a_module_of_the_reader_s_counts_as_a_file(tmp_path, calls, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    for text, expected in (("def f(x): return x", 2), ("def f(x): return x", 2), ("def f(x): return 2 * x", 4)):
        (tmp_path / "readers_module.py").write_text(text)
        sys.modules.pop("readers_module", None)
        go(cell(tmp_path, "import readers_module", "def helper(x): return readers_module.f(x)"))
        assert calls() == expected
    sys.modules.pop("readers_module")


def test_versions_threads_and_variables_count(tmp_path, calls, monkeypatch):
    go(cell(tmp_path))
    monkeypatch.setenv("COURSE_SCALE", "hub")
    go(cell(tmp_path))
    assert calls() == 4
    monkeypatch.setattr("courselib.lab.fingerprint.importlib.metadata.version", lambda name: "99")
    go(cell(tmp_path))
    assert calls() == 6


REACHING = {
    "a function": "from courselib.forgetting.penalties import anchor as use",
    "a module": "from courselib.forgetting import penalties as use",
    "a room": "import courselib.forgetting as use",
}


@pytest.mark.parametrize("how", REACHING)
def test_an_edit_in_a_room_that_is_reached_voids_and_one_in_another_does_not(tmp_path, calls, monkeypatch, how):
    def experiment():
        return cell(tmp_path, REACHING[how], "def helper(x): use; return x + 1")

    def edited(room):
        monkeypatch.setattr(fingerprint, "room_hashes", lambda: experiments._AT_IMPORT | {room: "edited"})

    go(experiment())
    edited("transfer")
    go(experiment())
    assert calls() == 2
    edited("forgetting")
    go(experiment())
    assert calls() == 4
    edited("lab")
    go(experiment())
    assert calls() == 6


def test_an_edit_since_import_switches_the_cache_off_where_it_is_reached(tmp_path, calls, monkeypatch, capsys):
    use = "from courselib.forgetting import penalties as use", "def helper(x): use; return x + 1"
    go(cell(tmp_path, *use))
    monkeypatch.setattr(experiments, "room_hashes", lambda: experiments._AT_IMPORT | {"transfer": "edited"})
    go(cell(tmp_path, *use))
    assert calls() == 2 and "Restart" not in capsys.readouterr().out
    monkeypatch.setattr(experiments, "room_hashes", lambda: experiments._AT_IMPORT | {"forgetting": "edited"})
    go(cell(tmp_path, *use))
    assert calls() == 4 and "courselib (forgetting) has changed" in capsys.readouterr().out


HARMS = {
    "empty": lambda text: "",
    "cut short": lambda text: text[:-9],
    "another number": lambda text: text.replace('"y": 2', '"y": 3'),
    "a list": lambda text: "[1]",
    "another dict": lambda text: "{}",
}


@pytest.mark.parametrize("harm", HARMS)
def test_a_damaged_entry_is_computed_again(tmp_path, calls, folder, harm):
    first = go(cell(tmp_path))
    for path in folder.iterdir():
        path.write_text(HARMS[harm](path.read_text()))
    again = go(cell(tmp_path))
    assert calls() == 4
    assert again.column("y", "only") == first.column("y", "only") == [2, 2]
    assert go(cell(tmp_path)).rows[0]["cached"]  # and mended


def test_off_means_off_and_an_unwritable_cache_costs_only_time(tmp_path, calls, folder, monkeypatch, capsys):
    run(cell(tmp_path), {"a": {}}, [0], cache=False, progress=False)
    monkeypatch.setenv("COURSE_CACHE", "off")
    go(cell(tmp_path), seeds=[0])
    assert calls() == 2 and not folder.exists()
    folder.write_text("a file where the folder should be")
    monkeypatch.setenv("COURSE_CACHE", str(folder))
    assert go(cell(tmp_path)).column("y", "only") == [2, 2]
    assert "was not kept" in capsys.readouterr().out


def test_a_failure_ends_the_run_and_keeps_what_was_done(tmp_path, calls, folder):
    fails = "def helper(x):\n    if x > 1: raise RuntimeError('no')\n    return x"
    with pytest.raises(RuntimeError):
        run(cell(tmp_path, helper=fails), {"good": {}, "bad": {"x": 2}}, [0], progress=False)
    kept = [json.loads(path.read_text()) for path in folder.iterdir()]  # no half-written file among them
    assert [entry["result"]["values"] for entry in kept] == [{"y": 1}]


@pytest.mark.parametrize(
    "ask, sentence",
    [
        (lambda: run(plain, {}, [0]), "nothing to run: 0 settings and 1 seeds"),
        (lambda: run(plain, {"a": {}}, []), "nothing to run"),
        (lambda: run(plain, {"a": {"x": torch.ones(1)}}, [0]), "The setting 'a' has to be plain"),
        (lambda: run(drawn_tensor, {"a": {}}, [0]), "What the experiment returned has to be plain"),
        (lambda: run(uses_a_model, {"a": {}}, [0]), "MODEL, a Linear made outside"),
        (lambda: Table([{"setting": "a", "seed": 0, "y": 1.0}]).summary(), "at least two finite numbers"),
    ],
)
def test_the_impossible_is_refused_with_a_sentence(ask, sentence):
    with pytest.raises(ValueError, match=sentence):
        ask()


MODEL = torch.nn.Linear(2, 2)


def uses_a_model(seed):
    return {"y": MODEL.weight.sum().item()}


def drawn_tensor(seed):
    return {"y": torch.rand(1)}


def test_the_hash_is_the_same_in_another_process(tmp_path, capsys):
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent("""
        from dataclasses import dataclass, field

        import torch
        from torch.nn import functional as F
        from courselib.lab.fingerprint import fingerprint
        from courselib.lab.training import fit
        NAMES = {"b", "a", "c"}

        @dataclass
        class Point:
            x: float = 1.0
            names: list = field(default_factory=list)

        class Net(torch.nn.Module):
            def __init__(self): super().__init__()
            def forward(self, x): return F.relu(x) if x in {"q", "r", "s"} else fit
        def experiment(seed): return {"y": [Net() for n in sorted(NAMES)] + [Point()]}

        torch.set_num_threads(1)
        print(fingerprint(experiment))
    """))
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True,
                          env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONHASHSEED": "1"})
    runpy.run_path(str(script), run_name="__main__")  # here strings hash differently, so sets have another order
    assert capsys.readouterr().out == done.stdout
