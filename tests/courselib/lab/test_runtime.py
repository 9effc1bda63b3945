"""Device, precision, threads, seeds, scale and silence: each as asked for, and nothing beyond."""

import os
import random
import subprocess
import sys

import numpy as np
import pytest
import torch

from courselib.lab import runtime


@pytest.fixture(autouse=True)
def clean(monkeypatch):
    for name in ("COURSE_SCALE", "COURSE_THREADS"):
        monkeypatch.delenv(name, raising=False)
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def machine(monkeypatch, cuda=False, mps=False, bf16=False):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: bf16)


@pytest.mark.parametrize(
    "cuda, mps, expected", [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")]
)
def test_device_is_the_fastest_there_is(monkeypatch, cuda, mps, expected):
    machine(monkeypatch, cuda, mps)
    assert runtime.device() == torch.device(expected)


@pytest.mark.parametrize(
    "scale, cuda, bf16, expected",
    [
        ("hub", True, True, torch.bfloat16),
        ("hub", True, False, torch.float32),
        ("hub", False, True, torch.float32),
        ("laptop", True, True, torch.float32),
    ],
)
def test_dtype_is_bfloat16_only_at_hub_scale_on_a_gpu_that_has_it(monkeypatch, scale, cuda, bf16, expected):
    machine(monkeypatch, cuda, bf16=bf16)
    monkeypatch.setenv("COURSE_SCALE", scale)
    assert runtime.dtype() is expected


@pytest.mark.parametrize(
    "value, expected", [(None, "laptop"), ("", "laptop"), ("laptop", "laptop"), (" Hub ", "hub")]
)
def test_scale(monkeypatch, value, expected):
    if value is not None:
        monkeypatch.setenv("COURSE_SCALE", value)
    assert runtime.scale() == expected


def test_unknown_scale_is_refused_with_the_known_ones(monkeypatch):
    monkeypatch.setenv("COURSE_SCALE", "cluster")
    with pytest.raises(ValueError, match="'cluster'.*'laptop' and 'hub'"):
        runtime.scale()


def test_threads_are_set_from_the_environment_and_left_alone_without(monkeypatch):
    torch.set_num_threads(2)
    assert runtime.threads() == 2
    monkeypatch.setenv("COURSE_THREADS", "1")
    assert runtime.threads() == 1 == torch.get_num_threads()


@pytest.mark.parametrize("value", ["0", "-1", "two", "1.5"])
def test_impossible_thread_counts_are_refused(monkeypatch, value):
    monkeypatch.setenv("COURSE_THREADS", value)
    with pytest.raises(ValueError, match="COURSE_THREADS"):
        runtime.threads()


def draws():
    return random.random(), float(np.random.rand()), torch.rand(1).item()


def test_set_seed_repeats_all_three_generators():
    runtime.set_seed(3)
    first = draws()
    runtime.set_seed(4)
    other = draws()
    runtime.set_seed(3)
    assert draws() == first
    assert all(a != b for a, b in zip(first, other, strict=True))


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_seeds_out_of_range_are_refused(seed):
    with pytest.raises(ValueError, match="seed"):
        runtime.set_seed(seed)


def test_start_seeds_and_says_what_runs(monkeypatch):
    machine(monkeypatch)
    monkeypatch.setenv("COURSE_THREADS", "1")
    line = runtime.start(seed=7)
    first = draws()
    runtime.set_seed(7)
    assert draws() == first
    assert line.endswith("cpu, float32, 1 thread, seed 7, scale laptop")
    assert "\n" not in line


@pytest.mark.filterwarnings("ignore:Cannot enable progress bars")  # the Hub's own bars follow the environment
def test_quiet_reaches_transformers_if_already_imported_and_leaves_an_own_choice(monkeypatch):
    from transformers.utils import logging

    monkeypatch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    monkeypatch.setenv("TRANSFORMERS_VERBOSITY", "error")
    logging.set_verbosity_info()
    logging.enable_progress_bar()
    assert logging.is_progress_bar_enabled()
    runtime.quiet()
    assert not logging.is_progress_bar_enabled()
    assert logging.get_verbosity() == logging.ERROR
    # who asks for information by the library's own variable, gets it
    monkeypatch.setenv("TRANSFORMERS_VERBOSITY", "info")
    monkeypatch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "0")
    logging.set_verbosity_info()
    logging.enable_progress_bar()
    runtime.quiet()
    assert logging.get_verbosity() == logging.INFO
    assert logging.is_progress_bar_enabled()
    monkeypatch.undo()
    runtime.quiet()


AFRESH = """
import sys, warnings, logging
from courselib.lab import runtime
runtime.start()
slow = {"transformers", "peft", "bitsandbytes", "sklearn", "matplotlib"} & set(sys.modules)
assert not slow, slow
from transformers.utils import logging as transformers_logging
assert not transformers_logging.is_progress_bar_enabled()
assert transformers_logging.get_verbosity() == logging.ERROR
logging.getLogger("bitsandbytes.backends.cpu.ops").warning("Failed to load CPU gemm_4bit_forward")
warnings.warn("a real warning")
"""


def test_start_is_light_quiet_and_hides_no_real_warning():
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("COURSE_", "HF_", "TRANSFORMERS_"))}
    done = subprocess.run([sys.executable, "-c", AFRESH], env=clean | {"PYTHONPATH": os.pathsep.join(sys.path)},
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "UserWarning: a real warning" in done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr  # that one and no other (code from -c is not quoted)
