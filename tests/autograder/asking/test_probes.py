"""However a function takes its parameters, the default probe hands it the inputs."""

import functools

import pytest

from autograder.asking.probes import call

INPUTS = {"x": 1, "rank": 2, "alpha": 3}
TAKEN = (1, 2, 3)


def unwrapped(function):
    def timed(*args, **kwargs):
        return function(*args, **kwargs)

    return timed


def wrapped(function):
    return functools.wraps(function)(unwrapped(function))


def by_name(x, rank, alpha):
    return x, rank, alpha


def renamed(a, b, c):
    return a, b, c


def reordered(alpha, x, rank):
    return x, rank, alpha


def positional_only(x, rank, alpha, /):
    return x, rank, alpha


def partly(x, rank, /, alpha):
    return x, rank, alpha


def keyword_only(*, alpha, rank, x):
    return x, rank, alpha


def mixed(x, more=0, *, alpha, **others):
    return x, others["rank"], alpha


def with_a_default(extra=0, x=0, rank=0, alpha=0):
    return x, rank, alpha


class Callable:
    def __call__(self, x, rank, alpha):
        return x, rank, alpha

    def method(self, x, rank, alpha):
        return x, rank, alpha


@functools.singledispatch
def dispatched(x, rank, alpha):
    raise TypeError


@dispatched.register
def _(x: int, rank, alpha):
    return x, rank, alpha


@pytest.mark.parametrize("answer", [
    by_name, renamed, reordered, positional_only, partly, keyword_only, mixed, with_a_default, dispatched,
    Callable(), Callable().method, functools.lru_cache(by_name),
    functools.partial(lambda extra, x, rank, alpha: (x, rank, alpha), 0),
    lambda *args: args, lambda **inputs: tuple(inputs.values()), lambda x, *rest: (x, *rest),
    unwrapped(by_name), unwrapped(renamed), unwrapped(reordered), unwrapped(keyword_only), unwrapped(positional_only),
    unwrapped(unwrapped(renamed)), wrapped(renamed), wrapped(reordered),
])  # fmt: skip
def test_the_inputs_arrive(answer):
    assert call(answer, INPUTS) == TAKEN


def test_a_parameter_too_few_is_the_functions_own_error():
    with pytest.raises(TypeError, match="positional argument"):
        call(lambda x, rank: x, INPUTS)
