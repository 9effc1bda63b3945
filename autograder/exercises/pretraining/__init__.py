"""Exercises of chapter 01: pretraining."""
