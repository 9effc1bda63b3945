"""The student bundle, made once for all the tests that look into it. They leave it as they find it."""

import pytest

from autograder.publishing import release


@pytest.fixture(scope="session")
def bundle(tmp_path_factory):
    folder = tmp_path_factory.mktemp("handed") / "out"
    files = release.release(folder)
    assert sorted(files) == sorted(p.relative_to(folder) for p in folder.rglob("*") if p.is_file())
    return folder
