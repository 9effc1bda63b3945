"""The student's workbook: their own copies of the notebooks, refreshed without ever touching their work.

`.handed_out.json` in the workbook remembers the SHA-256 of what was handed out under each name, and of the newest release
that was offered beside it. A file that is neither what was handed out nor what is released now has work in it.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from pathlib import Path

RECORD = ".handed_out.json"
EARLIER = "earlier"  # the folder of old copies


def refresh(chapters: Path, workbook: Path) -> list[str]:
    """Bring the workbook up to date with the notebooks in `chapters`; return what was done, in sentences.

    Absent: copied. Untouched since it was handed out: updated. With work in it: left alone; a newer release is written
    beside it, once, as `<name>.new-<8 hex digits of its SHA-256>.ipynb`. Every file is written whole or not at all, and
    its record after it, so that an interruption loses nothing and the next call goes on.

    Raises `NotADirectoryError` when `workbook` is a file.
    """
    if workbook.exists() and not workbook.is_dir():
        raise NotADirectoryError(f"{workbook} is a file, and the notebooks need a folder of that name: move it away")
    workbook.mkdir(parents=True, exist_ok=True)
    record = _Record(workbook / RECORD)
    released = {path.name: path.read_bytes() for path in sorted(chapters.glob("*.ipynb"))}
    copied: list[str] = []
    said: list[str] = []
    for name, new in released.items():
        mine = workbook / name
        if not os.path.lexists(mine):
            _write(mine, new)
            record.handed_out(name, new)
            copied.append(name)
            continue
        try:
            now = mine.read_bytes()
        except OSError as error:
            said.append(f"{name} could not be read and was left alone ({error.strerror}).")
            continue
        if now == new:
            record.handed_out(name, new)
        elif record.is_as_handed_out(name, now):
            _write(mine, new)
            record.handed_out(name, new)
            said.append(f"{name} was updated to the newer release; there was no work of yours in it.")
        elif not record.was_shown(name, new):
            beside = _beside(mine, new)
            if not os.path.lexists(beside):
                _write(beside, new)
                said.append(f"{name} has a newer release. Your work stays as it is; the new one lies beside it as {beside.name}. "
                            f"`course update {mine.stem}` says what is new, and can bring your answers over.")  # fmt: skip
            record.offered(name, new)
    for name in record.names() - released.keys():
        if (workbook / name).exists():
            said.append(f"{name} is no longer part of the course; your copy stays.")
        record.forget(name)
    if copied:
        said.insert(0, f"Copied into {workbook.name}: {', '.join(copied)}.")
    return said


def replace(workbook: Path, name: str, content: bytes, release: bytes) -> Path:
    """Put `content`, made from `release`, in place of a notebook, whose old copy goes into `earlier/`. Returns where that is."""
    mine, earlier = workbook / name, workbook / EARLIER
    old = mine.read_bytes()
    kept = earlier / f"{mine.stem}-{_digest(old)[:8]}.ipynb"
    earlier.mkdir(exist_ok=True)
    _write(kept, old)
    _write(mine, content)
    _Record(workbook / RECORD).handed_out(name, release)
    beside = _beside(mine, release)
    if beside.is_file() and beside.read_bytes() == release:  # nobody has worked in it
        beside.unlink()
    return kept


def _beside(mine: Path, release: bytes) -> Path:
    return mine.with_name(f"{mine.stem}.new-{_digest(release)[:8]}.ipynb")


class _Record:
    """What was handed out and offered, by notebook name; saved after every change. Damaged or missing: it knows nothing."""

    def __init__(self, path: Path):
        self._path, self._known = path, {}
        try:
            read = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return
        for name, entry in read.items() if isinstance(read, dict) else ():
            if isinstance(entry, dict):
                self._known[name] = {key: entry[key] for key in ("handed_out", "offered") if isinstance(entry.get(key), str)}

    def names(self) -> set[str]:
        return set(self._known)

    def is_as_handed_out(self, name: str, content: bytes) -> bool:
        return self._known.get(name, {}).get("handed_out") == _digest(content)

    def was_shown(self, name: str, content: bytes) -> bool:
        return _digest(content) in self._known.get(name, {}).values()

    def handed_out(self, name: str, content: bytes) -> None:
        self._set(name, {"handed_out": _digest(content)})

    def offered(self, name: str, content: bytes) -> None:
        self._set(name, self._known.get(name, {}) | {"offered": _digest(content)})

    def forget(self, name: str) -> None:
        self._set(name, None)

    def _set(self, name: str, entry: dict[str, str] | None) -> None:
        if self._known.get(name) == entry:
            return
        self._known = {key: value for key, value in (self._known | {name: entry}).items() if value is not None}
        _write(self._path, (json.dumps(self._known, indent=1, sort_keys=True) + "\n").encode())


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _write(path: Path, content: bytes) -> None:
    """Write a file whole or not at all: first under another name, on disk, then renamed."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)  # mkstemp's files are for their owner alone
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
