"""Whether this machine can enclose a student's code, and the sentence for one that cannot."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from autograder.grading.inside.limits import Limits
from autograder.grading.mounts import bwrap

WITHOUT_BWRAP = (
    "Submissions are run in a sandbox that bubblewrap builds, and there is no `bwrap` on this machine: install it "
    "(Debian, Ubuntu: apt install bubblewrap; it needs Linux), or say --unsandboxed if you trust everybody who handed in."
)


class SandboxUnavailable(RuntimeError):
    """This machine cannot enclose a student's code; the text is one sentence that says why and what to do."""


def possible() -> None:
    """Raise `SandboxUnavailable` with a sentence where nothing needs to be tried to know that there can be no sandbox."""
    if shutil.which("bwrap") is None:
        raise SandboxUnavailable(WITHOUT_BWRAP)
    for prefix in (sys.prefix, sys.base_prefix):
        if Path(prefix).resolve().is_relative_to("/tmp"):
            raise SandboxUnavailable(
                f"The Python of this course lies in {prefix}, and the sandbox has a /tmp of its own, in which it would be gone: "
                "move the course to another folder."
            )


def require() -> None:
    """Raise `SandboxUnavailable` with a sentence if this machine cannot enclose a submission; takes a few milliseconds."""
    possible()
    with tempfile.TemporaryDirectory() as place:
        (Path(place) / "autograder").mkdir()
        command = bwrap(Path(place), [], Limits(), ["true"])
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise SandboxUnavailable(refused(done.stderr))


def refused(reason: str) -> str:
    """One sentence for a machine that has bubblewrap and does not let it work."""
    return (
        f"This machine refuses the sandbox that submissions are run in ({' '.join(reason.split())[-300:]}): allow user "
        "namespaces (sysctl user.max_user_namespaces; in a container, start it with --privileged), or say --unsandboxed if you "
        "trust everybody who handed in."
    )
