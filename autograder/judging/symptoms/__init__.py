"""Symptoms: what is wrong with an answer that is no known misconception, told from relations that hold in every case.

In reading order: seen (what is looked at), quantities (sizes and scalars by name), relations (a sign, a factor, a function),
order, whole, shapes, remainder, words, where, changed (what the right function gives for changed inputs), unanswered (None,
another type, an exception), find (which of them speaks).
"""
