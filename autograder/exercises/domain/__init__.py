"""Exercises of chapter 03: domain adaptation."""
