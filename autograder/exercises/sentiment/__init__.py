"""Exercises of chapter 02b: a whole sentiment pipeline."""
