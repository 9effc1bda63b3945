"""Crash Python itself when asked."""

import ctypes


def lora_forward(x, W0, lora_A, lora_B):
    ctypes.string_at(0)
