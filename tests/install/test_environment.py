"""`make setup` as a person sees it: a dozen lines at most, whatever pip says, and where pip's own words are when it fails."""

import importlib.util

import pytest

from autograder import places

PIP = """#!/bin/sh
case "$*" in *"pip check"*) echo "No broken requirements found."; exit 0 ;; *install*) ;; *) exit 0 ;; esac
for i in $(seq 300); do echo "Collecting package-$i"; done
echo "WARNING: of $*" >&2
case "$*" in *"$REFUSED"*) echo "ERROR: no matching distribution" >&2; exit 1 ;; esac
"""


@pytest.fixture
def environment(tmp_path, monkeypatch):
    """The script, on an environment whose Python is a stand-in: it talks as much as pip, and installs nothing."""
    spec = importlib.util.spec_from_file_location("environment", places.ROOT / "install" / "environment.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    venv = tmp_path / ".venv"
    (venv / "bin").mkdir(parents=True)
    python = venv / "bin" / "python"
    python.write_text(PIP)
    python.chmod(0o755)
    for name, path in {"VENV": venv, "DISCARDED": tmp_path / "old", "PYTHON": python, "STAMP": venv / "setup",
                       "LOG": venv / "setup.log"}.items():  # fmt: skip
        monkeypatch.setattr(module, name, path)
    monkeypatch.setenv("REFUSED", "nothing")
    return module


def test_setup_is_short_and_keeps_what_pip_said(environment, capfd):
    environment.setup()
    out, err = capfd.readouterr()
    assert err == "" and len(out.splitlines()) <= 12 and "Collecting" not in out
    assert str(environment.LOG) in out
    kept = environment.LOG.read_text()
    assert kept.count("Collecting package-300") == 3 and "requirements-cpu.lock" in kept and "WARNING" in kept
    environment.setup()
    assert capfd.readouterr() == ("", "")  # nothing to do, nothing to say


def test_a_failure_shows_the_reason_and_names_the_log(environment, capfd, monkeypatch):
    monkeypatch.setenv("REFUSED", "requirements.lock")
    with pytest.raises(SystemExit) as stopped:
        environment.setup()
    assert "ERROR: no matching distribution" in str(stopped.value) and str(environment.LOG) in str(stopped.value)
    assert len(str(stopped.value).splitlines()) <= 4 and len(capfd.readouterr().out.splitlines()) <= 12
    assert environment.STAMP.read_text() == "unfinished\n"


def test_no_cpu_build_is_no_failure(environment, capfd, monkeypatch):
    monkeypatch.setenv("REFUSED", "requirements-cpu.lock")
    environment.setup()
    out, err = capfd.readouterr()
    assert "ERROR" not in out + err
