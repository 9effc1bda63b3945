"""Exercises of chapter 12: choosing, setting, evaluating, and a capstone."""
