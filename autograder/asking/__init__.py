"""Asking an answer: the call, guarded, and its outcome as data. Knows no right answer; in the bundle and in the sandbox."""
