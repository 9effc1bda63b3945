"""Exercises of chapter 11: diffusion, DreamBooth, drift and what holds it."""
