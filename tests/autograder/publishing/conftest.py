"""What the tests of publishing share: the student bundle, and that a build does not validate all exercises each time."""

import pytest

from autograder.publishing import build, release


@pytest.fixture(scope="session", autouse=True)
def check_exercises():
    """What a build does first, taken out of it: it takes long, and test_validating.py does it, an exercise a test."""
    with pytest.MonkeyPatch.context() as patch:
        taken = build.check_exercises
        patch.setattr(build, "check_exercises", lambda: None)
        yield taken.__wrapped__


@pytest.fixture(scope="session")
def bundle(tmp_path_factory):
    """The student bundle, made once for all the tests that look into it. They leave it as they find it."""
    folder = tmp_path_factory.mktemp("handed") / "out"
    files = release.release(folder)
    assert sorted(files) == sorted(p.relative_to(folder) for p in folder.rglob("*") if p.is_file())
    return folder
