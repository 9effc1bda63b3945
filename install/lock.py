"""Make the lock files again: `make lock`, which needs uv.

One resolution serves Linux, macOS and Windows (WSL) and every supported Python; markers tell them apart.
Versions that are locked already stay, unless pyproject.toml asks for others. To move everything forward,
delete both lock files first.

torch comes in two builds. PyPI's for Linux is the CUDA build, and the large libraries it needs have a file of
their own. The CPU build, which PyPI lacks, has another, which `make setup` tries first: in one file with the
PyPI build, pip would never choose it.

The files hold names, versions and hashes, and no address: where packages come from is pip's own setting.
"""

import re
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MAIN, CUDA, CPU = (ROOT / f"requirements{build}.lock" for build in ("", "-cuda", "-cpu"))
OLDEST_PYTHON = "3.11"
TORCH = "2.13.0"
TORCH_CPU = f"""\
torch=={TORCH}+cpu \\
    --hash=sha256:6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b
"""  # the wheel for CPython 3.11 on Linux x86_64

NOTE = """\
# {what}
# Names, versions and hashes only. Made by `make lock`; installed by `make setup` with
# pip install --require-hashes --no-deps -r {name}
"""


def resolve(locked: str) -> str:
    """The whole resolution as text; versions in `locked` are kept where they can be."""
    with tempfile.TemporaryDirectory() as folder:
        output, pin = Path(folder, "lock.txt"), Path(folder, "pin.txt")
        output.write_text(locked, encoding="utf-8")
        pin.write_text(f"torch=={TORCH}\n", encoding="utf-8")
        command = ["uv", "pip", "compile", "--quiet", "--universal", "--python-version", OLDEST_PYTHON]
        command += ["--generate-hashes", "--no-header", "--no-annotate", "--extra", "test", "--extra", "site", "--extra", "hub"]
        command += ["--constraint", pin, "--output-file", output, ROOT / "pyproject.toml"]
        subprocess.run(command, check=True)
        return output.read_text(encoding="utf-8")


def main() -> None:
    locked = "".join(path.read_text(encoding="utf-8") for path in (MAIN, CUDA) if path.exists())
    locked = re.sub(r" \\\n +--hash=\S+", "", locked)  # or uv would keep hashes of files that are gone
    entries = re.split(r"^(?=\S)", resolve(locked), flags=re.MULTILINE)[1:]  # a package and its hashes each
    cuda = [entry for entry in entries if re.match(r"nvidia-|cuda-|triton==", entry)]
    rest = [entry for entry in entries if entry not in cuda]
    for path, what, part in (
        (MAIN, "Everything the course needs, on every platform.", rest),
        (CUDA, "What the CUDA build of torch needs besides (Linux).", cuda),
        (CPU, "The CPU build of torch, taken where pip finds it.", [TORCH_CPU]),
    ):
        text = NOTE.format(what=what, name=path.name) + "".join(part)
        if "://" in text:
            raise SystemExit(f"{path.name} would hold an address: take it out of pyproject.toml.")
        path.write_text(text, encoding="utf-8")
        print(f"Wrote {path.name}, packages: {len(part)}.")


if __name__ == "__main__":
    main()
