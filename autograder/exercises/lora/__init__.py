"""Exercises of chapter 08: LoRA."""
