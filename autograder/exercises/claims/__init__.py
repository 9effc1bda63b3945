"""Exercises of chapter A: judging what is said, and the arithmetic behind it."""
