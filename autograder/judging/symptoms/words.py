"""Answers that are words, or yes and no: exchanged, always the same, written in another way."""

from __future__ import annotations

from autograder.judging.symptoms.seen import Seen


def other_case(seen: Seen) -> str | None:
    if _texts(seen) and all(c.strip().lower() == r.strip().lower() for c, r in seen.pairs):
        return f"These are the right words, written in another way: return exactly {seen.right[0]!r}, in the same letters."
    return None


def exchanged_words(seen: Seen) -> str | None:
    """Each answer has become one other, everywhere: the two are exchanged."""
    if not _words(seen) or seen.evidence < 2:
        return None
    pairs = {(str(r), str(c)) for c, r in seen.pairs}
    given = dict(pairs)
    if len(pairs) == len(given) > 1 and set(given.values()) == set(given):
        return "The answers are exchanged: wherever one is right, you give the other."
    return None


def same_word(seen: Seen) -> str | None:
    if _words(seen) and len(set(map(str, seen.came))) == 1 < len(set(map(str, seen.right))):
        return f"You answer {seen.came[0]!r} whatever the question is."
    return None


def an_input_itself(seen: Seen) -> str | None:
    for name in seen.inputs[0] if _texts(seen) else ():
        if all(case.get(name) == c for case, c in zip(seen.inputs, seen.came, strict=True)):
            return f"You return {name} itself: an answer to it is asked for."
    return None


def one_word_wrong(seen: Seen) -> str | None:
    """Some of the questions are answered rightly, and those that are not are named."""
    if not _words(seen) or all(seen.wrong) or not any(seen.wrong):
        return None
    wrong = [label for label, w in zip(seen.labels, seen.wrong, strict=True) if w]
    return (
        f"Right but for {' and '.join(wrong)}: think again about {'it' if len(wrong) == 1 else 'them'}."
        if len(wrong) < 3
        else None
    )


def no_such_word(seen: Seen) -> str | None:
    """A whole text where a short answer is asked for, or something that is right nowhere."""
    if not _texts(seen):
        return None
    if min(map(len, seen.came)) > 3 * max(map(len, seen.right)):
        return "A long text came: only the short name of the answer is asked for."
    if len({*seen.right}) > 1 and not {*seen.came} & {*seen.right}:
        return f"{seen.came[0][:40]!r} is right in none of the cases: read once more which answers there are."
    return None


def _texts(seen: Seen) -> bool:
    return all(isinstance(v, str) for v in (*seen.came, *seen.right))


def _words(seen: Seen) -> bool:
    return all(isinstance(v, (str, bool)) for v in (*seen.came, *seen.right))
