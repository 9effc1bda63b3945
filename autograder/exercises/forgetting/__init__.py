"""Exercises of chapter 04: forgetting."""
