"""The gradebook on PostgreSQL: a real server, started for the test, that listens on a socket in a folder of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from autograder.publishing import build
from classes import course, marks, nbgrader
from needs import need_sandbox, postgres_programs
from students import QUICKSTART, declared, hand_in

pytestmark = pytest.mark.xdist_group("grading")


@pytest.fixture
def server():
    """The URL of an empty database. PostgreSQL refuses to run as root, so root becomes the user `postgres`."""
    programs = postgres_programs()
    runuser = shutil.which("runuser", path=f"{os.environ['PATH']}:/usr/sbin:/sbin") or "runuser"  # not on everybody's path
    as_user = [runuser, "-u", "postgres", "--"] if os.geteuid() == 0 else []
    with tempfile.TemporaryDirectory(prefix="pg-", ignore_cleanup_errors=True) as place:  # short: a socket's path is
        if as_user:
            shutil.chown(place, "postgres")
        data = f"{place}/data"
        subprocess.run([*as_user, f"{programs}/initdb", "-D", data, "-A", "trust", "-U", "course", "-E", "UTF8"], check=True,
                       capture_output=True, cwd="/")
        settings = ["-c", "listen_addresses=", "-c", f"unix_socket_directories={place}", "-c", "fsync=off"]
        process = subprocess.Popen([*as_user, f"{programs}/postgres", "-D", data, *settings], cwd="/",
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            for _ in range(600):
                if Path(place, ".s.PGSQL.5432").exists():
                    break
                time.sleep(0.1)
            yield f"postgresql+psycopg://course@/postgres?host={place}"
        finally:
            process.terminate()
            process.wait()


def test_marks_go_to_postgresql_and_nbgrader_reads_them_there(server, tmp_path, here):
    need_sandbox()
    folder = tmp_path / "class"
    build.build_class(folder)
    nbgrader(folder, "generate_assignment", QUICKSTART, f"--CourseDirectory.db_url={server}")
    for student in ("right", "wrong"):
        hand_in(folder, student, QUICKSTART)
    course(folder, "grade", QUICKSTART, *here, "--db", server)
    course(folder, "report", QUICKSTART, "--db", server)
    assert not (folder / "gradebook.db").exists()
    for student in ("right", "wrong"):
        assert marks(folder, student, QUICKSTART, server) == declared(student, QUICKSTART)
    nbgrader(folder, "export", f"--CourseDirectory.db_url={server}")
    assert (folder / "grades.csv").read_text().count(QUICKSTART) == 2
    assert "right" in (folder / "reports" / QUICKSTART / "canvas.csv").read_text()
