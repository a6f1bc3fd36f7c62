"""The output folder of a comparison: what it holds, resuming it, and never overwriting it."""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import re
import secrets
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xarray as xr

from ordered_mix.errors import RunError, one_line

MANIFEST = "comparison.json"
SCHEMA = 2
MOST_NAMED, MOST_SHOWN = 3, 60

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ResultFolder:
    """A folder that belongs to one comparison.

    Files are written under a temporary name and renamed, and their SHA-256 is noted in the
    manifest, so a file that counts as there is whole and as it was written.

    Parameters
    ----------
    path : Path
        The folder.
    identity : dict
        What the results are of, JSON values only.
    """

    path: Path
    identity: dict[str, Any]

    def open(self, force: bool = False) -> None:
        """Create the folder, or take up what an interrupted run of the same comparison left.

        Raises
        ------
        ValueError
            If the folder cannot be written, or holds something else and ``force`` is not set.
        """
        make_folder(self.path)
        if not force and (other := self._foreign()):
            raise ValueError(
                f"out {str(self.path)!r} holds results of something else{other}, "
                "choose another folder or overwrite it with --force"
            )
        if force:
            self._clear()
        self._note(self._noted())

    @contextmanager
    def locked(self, force: bool = False) -> Iterator[None]:
        """The same, with every other process kept out and leftovers of a killed one removed.

        Raises
        ------
        ValueError
            As `open`.
        RunError
            If another process holds the folder.
        """
        make_folder(self.path)
        with _alone(self.path):
            self.open(force)
            remove_leftovers(self.path)
            yield

    def __contains__(self, name: str) -> bool:
        try:
            return self._noted().get(name) == file_hash(self.path / name)
        except OSError:
            return False

    def write(self, name: str, write: Callable[[Path], Any]) -> Path:
        """Write one file atomically: ``write`` is handed a temporary path.

        Raises
        ------
        RunError
            If the file cannot be written, e.g. because the disk is full.
        """
        target = self.path / name
        try:
            with replacing(target) as temporary:
                write(temporary)
                # before the file has its name: a kill in between leaves no file without a hash
                self._note(self._noted() | {name: file_hash(temporary)})
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else str(error)
            raise RunError(
                f"out {str(self.path)!r} cannot be written: {reason}; the files that are there "
                "are kept, make room and run the same command again"
            ) from error
        log.info("wrote %s", target)
        return target

    def write_tree(self, name: str, tree: xr.DataTree) -> Path:
        """Write an ArviZ DataTree as netCDF."""
        # HDF5 itself may crash on a full disk
        content = tree.to_netcdf(engine="h5netcdf")
        return self.write(name, lambda path: path.write_bytes(content))

    def read_tree(self, name: str) -> xr.DataTree | None:
        """Read an ArviZ DataTree; None if it is not there as it was written."""
        if name not in self:
            return None
        with xr.open_datatree(self.path / name, engine="h5netcdf") as tree:
            return tree.load()

    def _manifest(self) -> dict[str, Any]:
        return {"schema": SCHEMA, "identity": json.loads(json.dumps(self.identity))}

    def _note(self, files: dict[str, str]) -> None:
        text = json.dumps({**self._manifest(), "files": files}, indent=1)
        with replacing(self.path / MANIFEST) as temporary:
            temporary.write_text(text, encoding="utf-8")

    def _noted(self) -> dict[str, str]:
        """SHA-256 of every file written so far, none if the manifest is of something else."""
        try:
            found = json.loads((self.path / MANIFEST).read_text(encoding="utf-8"))
            files = found.pop("files")
            return files if found == self._manifest() and isinstance(files, dict) else {}
        except (OSError, ValueError, KeyError, AttributeError, TypeError, RecursionError):
            return {}

    def _foreign(self) -> str:
        """What the folder holds of something else, in brackets; empty if it holds nothing else."""
        names = [item.name for item in self.path.iterdir() if not item.name.startswith(".")]
        if not names:
            return ""
        mine = self._manifest()
        try:
            found = json.loads((self.path / MANIFEST).read_text(encoding="utf-8"))
            other = found.get("identity")
            if {name: found.get(name) for name in mine} == mine:
                return ""
        except (OSError, ValueError, AttributeError, RecursionError):
            other = None
        if not isinstance(other, dict):
            return f" ({one_line(', '.join(sorted(names)[:MOST_NAMED]))})"
        return f" ({differences(other, mine['identity']) or 'another version'})"

    def _clear(self) -> None:
        for pattern in (
            MANIFEST,
            "draws*.nc",
            "relabelled.nc",
            "table.*",
            "components.*",
            "timings.csv",
            "estimates.csv",
            "points.csv",
            "criteria.csv",
            "report.html",
            "*.json",
        ):
            for item in self.path.glob(pattern):
                item.unlink()


def differences(there: dict[str, Any], asked: dict[str, Any]) -> str:
    """Which entries differ, those that are there first: ``seed 1, not 9``."""
    told = []
    for name in dict.fromkeys([*there, *asked]):
        if there.get(name) == asked.get(name):
            continue
        if name == "sha256":
            told.append("other data")
        else:
            old, new = (one_line(str(one.get(name)))[:MOST_SHOWN] for one in (there, asked))
            told.append(f"{name} {old}, not {new}")
    return "; ".join(told)


def slug(name: str) -> str:
    """A file name made of a label: letters, digits and dashes only."""
    return re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-").lower()[:80] or "unnamed"


def digest(*arrays: Any) -> str:
    """SHA-256 of the bytes of arrays."""
    state = hashlib.sha256()
    for array in arrays:
        state.update(str(array.shape).encode() + array.tobytes())
    return state.hexdigest()


def make_folder(path: Path) -> None:
    """Create an output folder unless it is there, and make sure that it can be written.

    Raises
    ------
    ValueError
        If it cannot.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise ValueError(
            f"out must be a folder that can be written, {str(path)!r} is not: {error.strerror}"
        ) from None


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """A temporary path to write to, renamed to the target unless the block raises.

    Symbolic links are not followed: the temporary file is created anew under a name that cannot
    be guessed, and renaming replaces a link, not what it points to.
    """
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
    os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    try:
        yield temporary
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def remove_leftovers(folder: Path) -> None:
    """Remove what a killed process was writing to a folder that nobody else writes to now."""
    for leftover in folder.glob(".*.*.*"):
        leftover.unlink()


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        lock(descriptor, folder)
        yield
    finally:
        os.close(descriptor)


def lock(
    descriptor: int, folder: Path, holder: Callable[[], str] = lambda: "another process"
) -> None:
    """Keep other processes out of a folder for as long as this one has the file open.

    The kernel drops the lock with the process that holds it, killed or not.

    Parameters
    ----------
    descriptor : int
        Of a file of the folder, or of the folder itself.
    folder : Path
    holder : callable
        Who else may hold it, for the message.

    Raises
    ------
    RunError
        If another process holds the folder, or its file system has no locks.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise RunError(
            f"out {str(folder)!r} is in use by {holder()}: wait for it, or choose another folder"
        ) from None
    except OSError as error:
        raise RunError(
            f"out {str(folder)!r} is on a file system without locks: {error.strerror}"
        ) from None


def file_hash(file: Path) -> str:
    """SHA-256 of a file's bytes."""
    with open(file, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
