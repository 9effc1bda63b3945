"""Exercises of chapter 07: preference alignment."""
