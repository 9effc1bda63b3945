"""One place for what must be settled before the first number is computed.

Which device computes, in which precision, with how many threads, from which seed, and at which scale. A chapter
begins with `print(runtime.start())` and never asks again. Four environment variables are all there is to set:

    COURSE_SCALE     "laptop" (default): everything embedded, offline; "hub": real models from the Hugging Face Hub
    COURSE_THREADS   CPU threads for torch; left to torch when unset (the tests and the grader set 1)
    COURSE_ENCODER   a folder or Hub name to take the encoder from (read by `courselib.lab.models`)
    CUDA_VISIBLE_DEVICES=""   torch's own way to stay off a GPU

Importing this module imports torch but never transformers, which is slow.
"""

from __future__ import annotations

import logging
import os
import random
import sys
import warnings

import numpy as np
import torch

SCALES = ("laptop", "hub")


def scale() -> str:
    """The scale of the experiments, "laptop" or "hub", from COURSE_SCALE. Raises ValueError for any other word."""
    chosen = os.environ.get("COURSE_SCALE", "").strip().lower() or "laptop"
    if chosen not in SCALES:
        raise ValueError(
            f"COURSE_SCALE is {chosen!r}, but only 'laptop' and 'hub' are known. "
            "Unset it to stay on a laptop, or set COURSE_SCALE=hub for real models from the Hub."
        )
    return chosen


def device() -> torch.device:
    """The fastest device torch can see: cuda, then mps (Apple), then cpu."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def dtype() -> torch.dtype:
    """The precision to load models in: float32, or bfloat16 at hub scale on a CUDA device that has it.

    Laptop scale is float32 on every device, so that all readers see the same numbers.
    """
    if scale() == "hub" and device().type == "cuda" and torch.cuda.is_bf16_supported():
        return torch.bfloat16
    return torch.float32


def threads() -> int:
    """Gives torch COURSE_THREADS threads, if that is set, and returns how many it now has.

    Raises ValueError if COURSE_THREADS is not a whole number above zero.
    """
    wanted = os.environ.get("COURSE_THREADS", "").strip()
    if wanted:
        if not wanted.isdecimal() or int(wanted) < 1:
            raise ValueError(
                f"COURSE_THREADS is {wanted!r}, but it has to be a whole number above zero. "
                "Unset it to let torch choose."
            )
        torch.set_num_threads(int(wanted))
    return torch.get_num_threads()


def set_seed(seed: int) -> None:
    """Seeds python's, numpy's and torch's generators (all devices). Raises ValueError outside 0 .. 2**32 - 1."""
    if not 0 <= seed < 2**32:
        raise ValueError(f"The seed is {seed}, but numpy takes seeds from 0 to 2**32 - 1. Try 0.")
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def quiet() -> None:
    """Turns off progress bars and notices of the Hugging Face libraries and bitsandbytes, by their own switches.

    Libraries not imported yet are told through the environment, which they read on import; those already
    imported are told directly. An environment variable you set yourself wins. Nothing is done to stderr: a real
    warning still arrives.
    """
    for name, value in {
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",  # also switches transformers' bars off when it is imported later
        "TRANSFORMERS_VERBOSITY": "error",
        "DIFFUSERS_VERBOSITY": "error",
        "TOKENIZERS_PARALLELISM": "false",  # else tokenizers complains whenever a notebook forks
    }.items():
        os.environ.setdefault(name, value)
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    # peft asks transformers for an attribute under its old name: true, harmless, and nothing a reader could mend
    warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
    if "huggingface_hub" in sys.modules and os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] == "1":
        from huggingface_hub.utils import disable_progress_bars

        disable_progress_bars()
    if "transformers" in sys.modules:
        from transformers.utils import logging as transformers_logging

        if os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] == "1":
            transformers_logging.disable_progress_bar()
        if os.environ["TRANSFORMERS_VERBOSITY"] == "error":
            transformers_logging.set_verbosity_error()


def start(seed: int = 0) -> str:
    """Sets threads, seeds and silence, and returns one line that says what the chapter runs on."""
    count = threads()
    set_seed(seed)
    quiet()
    precision = str(dtype()).removeprefix("torch.")
    return (
        f"torch {torch.__version__}, {device().type}, {precision}, {count} thread{'s' if count > 1 else ''}, "
        f"seed {seed}, scale {scale()}"
    )
