"""The recipes for a hub name what is there: files, locked programs, commands and options. No container is made here."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys

import pytest

from autograder import places
from autograder.commands import app
from autograder.publishing import release

ROOM = places.ROOT / "install" / "hub"
CONTAINERFILE = (ROOM / "Containerfile").read_text(encoding="utf-8").replace("\\\n", " ")
PAGE = (places.ROOT / "docs" / "hub.md").read_text(encoding="utf-8").replace("\\\n", " ")
STEPS = re.findall(r"(?m)^(FROM|ARG|COPY|RUN|ENV|WORKDIR|EXPOSE|CMD) (.+)$", CONTAINERFILE)
TYPED = re.findall(r"(?m)^\$ (?:sudo )?(.+)$", PAGE)
COMMANDS = [part.split() for line in [text for kind, text in STEPS if kind == "RUN"] + TYPED for part in re.split(r"&&|\|", line)]


def test_the_recipes_are_read_whole():
    kinds = [kind for kind, _ in STEPS]
    assert kinds.count("FROM") == 3 and kinds[-1] == "CMD" and len(TYPED) > 12
    steps = [line for line in CONTAINERFILE.splitlines() if line and not line.startswith("#")]
    assert len(steps) == len(STEPS)


def test_what_is_copied_from_the_course_is_in_it():
    for kind, text in STEPS:
        if kind == "COPY" and "--from" not in text:
            *sources, target = text.split()
            assert all((places.ROOT / source).exists() for source in sources), text
            if target.startswith("/srv/"):
                assert sources == ["."] and target == "/srv/course"


def test_every_path_and_command_of_the_course_exists():
    named = re.findall(r"/srv/(course|handout)/([\w./]+)", CONTAINERFILE + PAGE)
    assert len(named) >= 8
    handed = [path for pattern in release.TOP for path in places.ROOT.glob(pattern)]
    known = {command.name or command.callback.__name__ for command in app.registered_commands}
    for room, path in named:
        if path.startswith(".venv"):
            assert path in (".venv", ".venv/bin", ".venv/bin/course"), path
        else:
            assert (places.ROOT / path).is_file(), path
            assert room == "course" or places.ROOT / path in handed, f"a bundle has no {path}"
    releases = [command for command in COMMANDS if command[0].endswith("/course")]
    assert len(releases) == 2 and all(command[1] in known and command[2] == "--to" for command in releases)
    makes = [command for command in COMMANDS if command[0] == "make"]
    makefiles = {"/srv/course": places.ROOT / "Makefile", "/srv/handout": places.ROOT / "autograder/publishing/student/Makefile"}
    assert len(makes) == 2
    for _, _, folder, target in makes:
        assert re.search(rf"(?m)^{target}:", makefiles[folder].read_text()), f"{folder} has no `make {target}`"


def test_the_container_starts_the_hub_with_settings_that_it_takes(tmp_path):
    program, *options = json.loads(STEPS[-1][1])
    options = [option.replace("/srv/course", str(places.ROOT)) for option in options]
    command = [sys.executable, "-m", program, *options, "--show-config"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    shown = done.stdout
    assert "allow_all = True" in shown and "choose_half" in shown and "COURSE_EXCHANGE" in shown, shown


def test_the_proxy_of_the_container_is_locked():
    """By version and hash, and without an address, as everything else is."""
    wanted = json.loads((ROOM / "package.json").read_text())["dependencies"]
    text = (ROOM / "package-lock.json").read_text()
    packages = json.loads(text)["packages"]
    assert packages.pop("")["dependencies"] == wanted
    assert packages["node_modules/configurable-http-proxy"]["version"] == wanted["configurable-http-proxy"]
    assert all(package["integrity"].startswith("sha512-") for package in packages.values())
    assert "://" not in text


@pytest.mark.parametrize("line", [line for line in TYPED if line.startswith("echo ")])
def test_what_is_written_into_the_hubs_settings_is_read(line, tmp_path):
    """The Littlest JupyterHub loads the written file as this does."""
    from traitlets.config import PyFileConfigLoader

    written = shlex.split(line)[1].replace("/srv/course", str(places.ROOT))
    (tmp_path / "course.py").write_text(written)
    assert "COURSE_EXCHANGE" in PyFileConfigLoader("course.py", path=str(tmp_path)).load_config().Spawner.environment
