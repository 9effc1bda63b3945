"""Exercises of chapter 02: transfer learning."""
