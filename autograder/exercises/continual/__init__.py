"""Exercises of chapter 05: continual learning."""
