"""The output folder of a comparison: what it holds, resuming it, and never overwriting it."""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xarray as xr

MANIFEST = "comparison.json"
SCHEMA = 1


@dataclass(frozen=True)
class ResultFolder:
    """A folder that belongs to one comparison.

    Files are written under a temporary name and renamed, so a file that is there is whole.

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
        if force:
            self._clear()
        elif self._foreign():
            raise ValueError(
                f"out {str(self.path)!r} holds results of something else, "
                "choose another folder or overwrite it with --force"
            )
        self.write(MANIFEST, lambda path: path.write_text(json.dumps(self._manifest(), indent=1)))

    def __contains__(self, name: str) -> bool:
        return (self.path / name).is_file()

    def write(self, name: str, write: Callable[[Path], Any]) -> Path:
        """Write one file atomically: ``write`` is handed a temporary path."""
        target = self.path / name
        with replacing(target) as temporary:
            write(temporary)
        return target

    def write_tree(self, name: str, tree: xr.DataTree) -> Path:
        """Write an ArviZ DataTree as netCDF."""
        return self.write(name, lambda path: tree.to_netcdf(path, engine="h5netcdf"))

    def read_tree(self, name: str) -> xr.DataTree | None:
        """Read an ArviZ DataTree; None if it is not there or cannot be read."""
        try:
            with xr.open_datatree(self.path / name, engine="h5netcdf") as tree:
                return tree.load()
        except (OSError, ValueError, KeyError):
            return None

    def _manifest(self) -> dict[str, Any]:
        return {"schema": SCHEMA, "identity": self.identity}

    def _foreign(self) -> bool:
        names = [item.name for item in self.path.iterdir() if not item.name.startswith(".")]
        if not names:
            return False
        try:
            found = json.loads((self.path / MANIFEST).read_text())
        except (OSError, ValueError):
            return True
        return found != json.loads(json.dumps(self._manifest()))

    def _clear(self) -> None:
        for pattern in (
            MANIFEST,
            "draws-*.nc",
            "relabelled.nc",
            "table.*",
            "timings.csv",
            "report.html",
            "*.json",
        ):
            for item in self.path.glob(pattern):
                item.unlink()


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
    """A temporary path to write to, renamed to the target unless the block raises."""
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        yield temporary
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
