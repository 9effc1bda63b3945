"""Make `.venv`, the environment of the course, from the lock files: `make setup`.

Any bare Python runs this file; nothing need be installed. With nothing to do it is done in a blink.
`.venv/setup` says how far an earlier run came: it reads "unfinished" from the first moment, and names the
place and the inputs after the last. So an interrupted run starts over, a changed lock is brought up to date,
and a moved folder, whose scripts point to the old place, is made anew.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV, DISCARDED = ROOT / ".venv", ROOT / ".venv-discarded"
STAMP, PYTHON, LOG = VENV / "setup", VENV / "bin" / "python", VENV / "setup.log"
MAIN, CUDA, CPU = (ROOT / f"requirements{build}.lock" for build in ("", "-cuda", "-cpu"))


def works(python, code="") -> bool:
    """Does this interpreter start, is it new enough, and does `code` run in it?"""
    code = "import sys; assert sys.version_info >= (3, 11); " + code
    try:
        return subprocess.run([python, "-I", "-c", code], stderr=subprocess.DEVNULL).returncode == 0
    except OSError:
        return False


def bare_python() -> str:
    """An interpreter that can make an environment: this one if it is new enough, else one on the PATH."""
    candidates = [sys.executable, "python3.12", "python3.13", "python3.11", "python3.14"]
    python = next((candidate for candidate in candidates if works(candidate)), None)
    if python is None:
        found = ".".join(map(str, sys.version_info[:2]))
        sys.exit(f"The course needs Python 3.11 or newer, and this is {found}: try `make setup PYTHON=...`.")
    if not works(python, "import ensurepip"):
        sys.exit(f"{python} has no ensurepip, which .venv needs: on Debian, `apt install python3-venv`.")
    return python


def pip(*arguments, **options):
    """pip inside `.venv`, deaf to PYTHONPATH and to --user: nothing outside counts as installed."""
    command = [PYTHON, "-I", "-m", "pip", "--disable-pip-version-check", "--no-input", *arguments]
    return subprocess.run(command, cwd=ROOT, env={**os.environ, "PIP_USER": "0"}, **options)


def install(*what) -> bool:
    """Does pip install this? What it says goes into the log: a line a package, hundreds of them."""
    with LOG.open("a", encoding="utf-8") as log:
        arguments = ["install", "--progress-bar", "off", "--no-compile", "--no-deps", *what]
        return pip(*arguments, stdout=log, stderr=subprocess.STDOUT).returncode == 0


def must(done: bool) -> None:
    if not done:
        last = [line for line in LOG.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()][-3:]
        sys.exit("\n".join([*last, f"pip could not install the packages: {LOG} says more. Put it right and try again."]))


def conflicts() -> list:
    """What pip finds missing or at odds among the installed packages, a sentence each."""
    return pip("check", stdout=subprocess.PIPE, universal_newlines=True).stdout.splitlines()


def setup() -> None:
    place = f"{ROOT}\n"
    inputs = (MAIN, CUDA, CPU, ROOT / "pyproject.toml", Path(__file__))
    finished = place + hashlib.sha256(b"".join(path.read_bytes() for path in inputs)).hexdigest() + "\n"
    before = STAMP.read_text(encoding="utf-8") if STAMP.exists() else None
    usable = works(PYTHON, "import pip")
    if usable and before == finished:
        return

    if VENV.exists() and before is None and not usable:
        sys.exit("There is a .venv that `make setup` did not make and cannot use: please move it away.")
    shutil.rmtree(DISCARDED, ignore_errors=True)
    if before is not None and not (usable and before.startswith(place)):
        VENV.rename(DISCARDED)  # in one step: a half-deleted environment could pass for a whole one
        shutil.rmtree(DISCARDED)
        usable = False
    if not usable:
        python = bare_python()
        print(f"Making .venv with {python}.", flush=True)
        VENV.mkdir()
    STAMP.write_text("unfinished\n", encoding="utf-8")
    if not usable and subprocess.run([python, "-I", "-m", "venv", VENV]).returncode:
        sys.exit(f"{python} could not make .venv (its reason stands above).")

    LOG.write_text("", encoding="utf-8")
    print(f"Installing the locked packages: a few minutes the first time. What pip does stands in {LOG}.", flush=True)
    # The CPU build first. Where pip knows no place that has it, that is no error: MAIN brings PyPI's torch.
    install("--require-hashes", "-r", CPU)
    must(install("--require-hashes", "-r", MAIN))
    if any(line.startswith("torch ") for line in conflicts()):
        print("This torch is the CUDA build: installing the libraries it needs (2 GB).", flush=True)
        must(install("--require-hashes", "-r", CUDA))
    must(install("--no-build-isolation", "-e", "."))
    print(*conflicts()[:5], sep="\n")

    # Bytecode is not left to pip, which uses one core, nor to Python, which may be told not to write it.
    # Some files that packages carry are for other Pythons: hence no warnings, -qq, and no look back.
    print("Compiling bytecode.", flush=True)
    packages = VENV.glob("lib/python3*/site-packages")
    subprocess.run([PYTHON, "-W", "ignore", "-m", "compileall", "-qq", "-j", "0", *packages])
    STAMP.write_text(finished, encoding="utf-8")


if __name__ == "__main__":
    try:
        setup()
    except KeyboardInterrupt:
        sys.exit("\nInterrupted. Run the same command again: it starts over.")
