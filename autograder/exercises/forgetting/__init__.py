"""Exercises of chapter 04: forgetting."""

CLOSES = ("courselib.lab.callbacks",)
