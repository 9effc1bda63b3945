"""Exercises of chapter 09: the family of methods that train few parameters."""
