"""One call, guarded: whatever the function does ends in an outcome, and nothing outside the call is left changed."""

import signal
import threading
import warnings

import numpy as np
import pytest
import torch

from autograder.asking.ask import PRINT_LIMIT, ask_all
from autograder.asking.inputs import untouched
from autograder.asking.probes import call

ONE = [{"x": 1.0}]


def ask(answer, inputs=ONE, seconds=10.0):
    return ask_all(answer, call, inputs, seconds)


def endless(x):
    while True:
        pass


def test_a_loop_without_end_costs_one_budget_for_all_cases():
    outcomes = ask(endless, ONE * 3, seconds=0.2)
    assert [o.state for o in outcomes] == ["timed out"] * 3 and outcomes[0] is not outcomes[1]
    assert "never ends" in outcomes[2].message


def test_the_limit_is_a_processor_s_time_with_the_clock_behind_it_and_comes_again():
    """Read from the timers, inside the answer: each fires once, and then has an interval."""
    def looks(x):
        return [*signal.getitimer(signal.ITIMER_PROF), *signal.getitimer(signal.ITIMER_REAL)]

    (outcome,) = ask(looks, seconds=100)
    of_processor, every, by_clock, again = outcome.value
    assert 90 < of_processor <= 101 and 290 < by_clock <= 300 and 0 < every <= 1 and 0 < again <= 1
    assert signal.getitimer(signal.ITIMER_PROF) == (0, 0)


@pytest.mark.parametrize("kind", [signal.SIGPROF, signal.SIGALRM])
def test_an_interruption_reaches_through_a_bare_except_in_the_end(kind):
    def stubborn(x):
        try:
            signal.raise_signal(kind)
        except BaseException:
            signal.raise_signal(kind)

    assert ask(stubborn)[0].state == "timed out"


def test_the_limit_also_holds_where_the_output_is_read():
    class Slow:
        def __array__(self, dtype=None, copy=None):
            signal.raise_signal(signal.SIGALRM)
            return np.ones(1)

    assert ask(lambda x: Slow())[0].state == "timed out"


@pytest.mark.parametrize("answer", [lambda x: x, endless])
def test_a_limit_from_outside_goes_on(answer):
    def outer(*_):
        raise AssertionError("the outer limit of 1000 seconds came up")

    previous = signal.signal(signal.SIGALRM, outer)
    try:
        signal.setitimer(signal.ITIMER_REAL, 1000, 7)
        ask(answer, seconds=0.1)
        left, every = signal.getitimer(signal.ITIMER_REAL)
        assert 900 < left <= 1000 and every == 7
        assert signal.getsignal(signal.SIGALRM) is outer
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


def test_without_a_limit_from_outside_none_is_left():
    ask(lambda x: x)
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def test_a_thread_may_ask_and_has_no_limit():
    found = []
    thread = threading.Thread(target=lambda: found.extend(ask(lambda x: (x, *signal.getitimer(signal.ITIMER_REAL)))))
    thread.start()
    thread.join()
    assert [(o.state, o.value) for o in found] == [("returned", (1.0, 0.0, 0.0))]


def test_prints_and_warnings_are_kept_and_change_nothing_outside(capsys):
    def chatty(x):
        print("first")
        warnings.warn("careful", stacklevel=1)
        return x

    filters = list(warnings.filters)
    with warnings.catch_warnings(record=True) as outside:
        warnings.simplefilter("ignore")  # whatever the notebook has set
        first, again = ask(chatty, ONE * 2)
    assert first.printed == again.printed == "first\nwarning: careful\n"  # also the second time
    assert capsys.readouterr() == ("", "") and not outside and warnings.filters == filters


def test_what_was_printed_before_an_exception_is_kept():
    def prints_and_raises(x):
        print("so far so good")
        raise KeyError("k")

    (outcome,) = ask(prints_and_raises)
    assert (outcome.state, outcome.error, outcome.printed) == ("raised", "KeyError", "so far so good\n")


def test_printing_without_an_end_is_stopped():
    def flood(x):
        for _ in range(PRINT_LIMIT):
            print("still here")

    outcomes = ask(flood, ONE * 2)
    assert [o.state for o in outcomes] == ["flooded"] * 2 and f"{PRINT_LIMIT:,}" in outcomes[0].message


def test_ctrl_c_goes_through_and_takes_the_limit_along():
    def interrupted(x):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ask(interrupted)
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def test_a_reused_buffer_is_read_after_each_call():
    buffer, rows = torch.zeros(2), []

    def reuses(x):
        rows.append(buffer.fill_(x))
        return [buffer, rows]

    first, second = ask(reuses, [{"x": 1.0}, {"x": 2.0}])
    assert first.value[0].tolist() == [1.0, 1.0] and second.value[0].tolist() == [2.0, 2.0]
    assert len(first.value[1]) == 1


@pytest.mark.parametrize(("made", "change"), [
    (torch.zeros(2, 2), lambda x: x.add_(1)), (torch.zeros(2), lambda x: x.resize_(1)), (np.zeros(2), lambda x: x.fill(2)),
    ([1, 2], lambda x: x.append(3)), ([3, 1], lambda x: x.sort()), ([torch.zeros(1)], lambda x: x[0].add_(1)),
    (["a", "b"], lambda x: x.reverse()), ({"a": 1}, lambda x: x.update(a=2)), ({"a": 1}, lambda x: x.update(b=2)),
    ([1, 2], lambda x: x.__setitem__(0, "text")), ([[1.0]], lambda x: x[0].append(x)),
])
def test_a_change_in_place_is_seen_and_reaches_no_other_call(made, change):
    inputs = [{"kept": made, "x": made}] * 2
    before = str(made)
    for outcome in ask(lambda kept, x: (change(x), 1)[1], inputs):
        assert outcome.changed == ["x"]
    assert str(made) == before


@pytest.mark.parametrize("made", [
    torch.tensor([float("nan"), 1]), np.array([float("nan")]), [float("nan")], np.array(["a"]), np.array([True]),
    torch.tensor([True]),
    {"a": [None, (1, "x")]}, np.random.default_rng(0), torch.zeros(0),
])
def test_what_was_only_read_is_unchanged(made):
    def reads(x):
        return x.random() if isinstance(x, np.random.Generator) else str(x)

    assert ask(reads, [{"x": made}])[0].changed == []
    assert untouched(made, made)
