"""Judging what came back. Knows right answers as data alone; lies in the student bundle."""
