"""Exercises of chapter 10: quantisation and memory."""
