"""Chapter A: the ledger, every widely repeated figure of the course held against what can be computed.

computed    what a computation of a claim gives, and which function computes which claim
ledger      the rows, joined with their computations; searched, counted, computed again
pages       the ledger as a table with controls, as a list that needs none, and as a figure
expensive   the ten that cost most, with the reason for each

The rows lie in `rows`, one file a topic; the computations in `computing`, in files named after what they compute.
"""
