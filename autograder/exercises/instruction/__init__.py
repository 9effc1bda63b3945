"""Exercises of chapter 06: instruction tuning."""

CLOSES = ("courselib.lab.models.causal", "courselib.lab.models.tokenizer")
