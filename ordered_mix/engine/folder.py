"""The output folder of a study: whose it is, and that only one run writes to it."""

from __future__ import annotations

import inspect
import json
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import IO, Any

from ordered_mix import __version__
from ordered_mix.engine.store import CELLS, SCHEMA
from ordered_mix.files.results import lock, make_folder, remove_leftovers, replacing
from ordered_mix.study.definition import Study
from ordered_mix.study.result import PROVENANCE, TABLES, TIMINGS

MANIFEST = "study.json"
LOCK = ".lock"
OURS = (MANIFEST, TIMINGS, "verdicts.json", PROVENANCE, "report.html")


@contextmanager
def opened(path: Path, study: Study, resume: bool = False, force: bool = False) -> Iterator[None]:
    """Hold the folder for one run, created if need be.

    Parameters
    ----------
    path : Path
    study : Study
    resume : bool
        Keep cells although the study's file or the package changed since they were computed.
    force : bool
        Remove the cells of this study that are there.

    Raises
    ------
    ValueError
        If the folder cannot be written, is of something else, or holds cells of another version
        and neither `resume` nor `force` is set.
    RunError
        If another run holds the folder.
    """
    if resume and force:
        raise ValueError("resume and force exclude each other, got both")
    make_folder(path)
    with _locked(path):
        _check(path, study, resume, force)
        if force:
            _clear(path)
        _make_own(path / CELLS)
        _make_own(path / TABLES)
        for folder in (path, path / CELLS, path / TABLES):
            remove_leftovers(folder)
        write_json(path / MANIFEST, _manifest(study))
        yield


def write_json(target: Path, value: Any) -> None:
    """Write a JSON file atomically."""
    with replacing(target) as temporary:
        temporary.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")


def code_digest(study: Study) -> str:
    """SHA-256 of the study's file, empty if it has none (a notebook)."""
    first = next(iter(study.experiments.values()))
    try:
        file = inspect.getsourcefile(first.cell)
        return sha256(Path(file or "").read_bytes()).hexdigest()
    except (OSError, TypeError):
        return ""


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with _lock_file(path) as handle:

        def holder() -> str:
            handle.seek(0)
            return handle.read().strip() or "another process"

        lock(handle.fileno(), path, holder)
        handle.truncate(0)
        handle.write(f"process {os.getpid()} on {socket.gethostname()}\n")
        handle.flush()
        yield


def _lock_file(path: Path) -> IO[str]:
    def opener(name: str, flags: int) -> int:
        return os.open(name, flags | os.O_NOFOLLOW, 0o666)

    try:
        return open(path / LOCK, "a+", encoding="utf-8", opener=opener)
    except OSError as error:
        raise ValueError(
            f"out must be a folder with a lock file of its own, {str(path / LOCK)!r} cannot be "
            f"opened: {error.strerror}"
        ) from None


def _make_own(folder: Path) -> None:
    """Make a folder inside the output folder, unless a link leads out of it."""
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise ValueError(f"out must hold folders of its own, {str(folder)!r} is none")
    folder.mkdir(exist_ok=True)


def _manifest(study: Study) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "study": study.name,
        "version": __version__,
        "code": code_digest(study),
    }


def _check(path: Path, study: Study, resume: bool, force: bool) -> None:
    found = _read_manifest(path)
    others = [item for item in path.iterdir() if not item.name.startswith(".")]
    if found is None and others:
        raise ValueError(
            f"out {str(path)!r} holds something else than cells of a study, choose another folder"
        )
    if found is None:
        return
    if found.get("study") != study.name:
        raise ValueError(
            f"out {str(path)!r} belongs to study {found.get('study')!r}, not {study.name!r}: "
            "choose another folder"
        )
    kept = any((path / CELLS).glob("*"))  # published results come without
    if kept and found != _manifest(study) and not (resume or force):
        raise ValueError(
            f"out {str(path)!r} holds cells of another version of study {study.name!r}: "
            "keep them with --resume, or compute them anew with --force"
        )


def _read_manifest(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _clear(path: Path) -> None:
    for folder in (CELLS, TABLES):
        shutil.rmtree(path / folder, ignore_errors=True)
    for name in OURS:
        (path / name).unlink(missing_ok=True)
