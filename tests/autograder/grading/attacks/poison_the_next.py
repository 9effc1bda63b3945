"""Leave something for the next submission: files, shared memory, settings of torch, and take what an earlier one left."""

import builtins
import glob
import random
from multiprocessing import shared_memory

import torch

import autograder

succeeded = glob.glob("/tmp/poison*") + glob.glob("/dev/shm/poison*")
succeeded += ["builtins"] if hasattr(builtins, "poisoned") or hasattr(autograder, "poisoned") else []
succeeded += ["torch"] if torch.get_default_dtype() != torch.float32 else []
try:
    shared_memory.SharedMemory("poison")
    succeeded.append("shared memory")
except OSError:
    left = shared_memory.SharedMemory("poison", create=True, size=1000)
for path in ("/tmp/poison", "/dev/shm/poison-file", "/dev/poison", "/poison", "/course/poison"):
    try:
        with open(path, "w") as file:
            file.write("poison")
    except OSError:
        pass
builtins.poisoned = autograder.poisoned = True
torch.set_default_dtype(torch.float64)
torch.Tensor.__matmul__ = lambda a, b: a
random.random = lambda: 0.5
