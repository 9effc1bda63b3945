import pytest

from courselib.lab import models


@pytest.fixture(scope="session")
def causal():
    """The course's causal model, as it is; whoever trains takes a copy."""
    return models.load("causal")
