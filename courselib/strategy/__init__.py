"""Chapter 12: choosing a method, its settings, and how to tell what is better.

evaluating  intervals in pairs, several comparisons, runs of words that test and training share
scoring     likelihood and generation: two answers to "how good is it?"
world       the capstone's worlds: texts whose rules are known
reader      the capstone's base model, and changes to its weights
learning    the base model fine-tuned in three ways, small enough to sweep
choosing    rules, and the measurements behind them
"""
