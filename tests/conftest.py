"""What several test files share: the pretrained encoder, loaded once a session. Tests leave it as they find it."""

import pytest
import torch


@pytest.fixture(scope="session")
def pretrained():
    torch.set_num_threads(1)  # two processes of two threads each are many times slower than one each
    from courselib.lab.models import load

    return load("encoder")
