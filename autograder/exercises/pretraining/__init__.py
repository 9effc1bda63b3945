"""Exercises of chapter 01: pretraining."""

CLOSES = ("courselib.lab.models.causal",)
