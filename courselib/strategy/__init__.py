"""Chapter 12: choosing a method, its settings, and how to tell what is better.

world    the capstone's worlds: texts whose rules are known
reader   the capstone's base model, and changes to its weights
"""
