"""Exercises of chapter 00: quickstart."""
