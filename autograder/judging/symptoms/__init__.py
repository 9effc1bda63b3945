"""Symptoms: what is wrong with an answer that is no known misconception, told from relations that hold in every case.

In reading order: seen (what is looked at), quantities (sizes and scalars by name), factors (a sign, a number, a size), functions
(a logarithm, a rounding), order, whole, shapes, remainder, words, where, impossible, changed (what the right function gives for
changed inputs), unanswered (None, another type, an exception), tiers (which of them speaks), find (the whole output).
"""
