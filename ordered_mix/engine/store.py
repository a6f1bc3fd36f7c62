"""One atomic file for each cell, trusted only if its content hash and its identity are right."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Any
from zipfile import ZIP_STORED, ZipFile

import numpy as np
from numpy.lib.format import read_array_header_1_0, read_array_header_2_0, read_magic
from numpy.typing import NDArray

from ordered_mix.engine.batches import Outcome
from ordered_mix.files.results import digest, replacing
from ordered_mix.study.grid import Cell
from ordered_mix.study.result import DONE, SetAside

SCHEMA = 1
CELLS = "cells"
ASIDE = "set_aside"
HEADER, PREFIX = "cell.json", "array."


class Store:
    """The cells of one study in one folder.

    A cell without arrays is a JSON file, one with arrays an npz file that also holds that JSON;
    nothing is ever unpickled.

    Parameters
    ----------
    path : Path
        The output folder.
    study : str
        Name of the study.
    """

    def __init__(self, path: Path, study: str) -> None:
        self.path = path
        self.study = study
        self.set_aside: list[SetAside] = []

    def finished(self, cells: Iterable[Cell]) -> set[str]:
        """Keys of the cells that need not be computed; every file is checked in full."""
        found = set()
        for cell in cells:
            outcome = self.read(cell)
            if outcome is not None and outcome.status == DONE:
                found.add(cell.key)
        return found

    def write(self, cell: Cell, outcome: Outcome) -> None:
        """Write one cell; what was there for it, a failure, is replaced."""
        header = self._header(cell, outcome)
        scalars, arrays = self._file(cell, ".json"), self._file(cell, ".npz")
        if outcome.arrays:
            text = np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)
            named: dict[str, Any] = {HEADER: text}
            named |= {f"{PREFIX}{name}": array for name, array in outcome.arrays.items()}
            with replacing(arrays) as temporary, open(temporary, "wb") as handle:
                np.savez(handle, **named)
            scalars.unlink(missing_ok=True)
        else:
            with replacing(scalars) as temporary:
                temporary.write_text(json.dumps(header), encoding="utf-8")

    def read(self, cell: Cell, arrays: bool = True) -> Outcome | None:
        """Read one cell, without checking and returning its arrays if they are not asked for.

        Returns
        -------
        Outcome or None
            None if there is no such cell, or none to be trusted: it is then set aside.
        """
        for suffix in (".npz", ".json"):
            file = self._file(cell, suffix)
            try:
                header, found = _load(file, arrays)
                self._verify(cell, header, found, arrays)
                return _outcome(header, found)
            except FileNotFoundError:
                continue
            except Exception as error:  # whatever a damaged file makes its reader raise
                self._put_aside(file, f"{type(error).__name__}: {error}")
        return None

    def _file(self, cell: Cell, suffix: str) -> Path:
        return self.path / CELLS / f"{cell.key}{suffix}"

    def _header(self, cell: Cell, outcome: Outcome) -> dict[str, Any]:
        header = {
            "schema": SCHEMA,
            "study": self.study,
            "key": cell.key,
            "seed": cell.seed,
            "factors": cell.factors,
            **outcome._asdict(),
            "arrays": {name: _digest(array) for name, array in outcome.arrays.items()},
        }
        return {**header, "sha256": _content_hash(header)}

    def _verify(
        self, cell: Cell, header: Any, arrays: dict[str, NDArray[Any]], in_full: bool
    ) -> None:
        if not isinstance(header, dict) or header.get("schema") != SCHEMA:
            raise ValueError(f"not a cell of schema {SCHEMA}")
        content = {name: value for name, value in header.items() if name != "sha256"}
        if header.get("sha256") != _content_hash(content):
            raise ValueError("the content hash is wrong")
        identity = (header["study"], header["key"], header["seed"], header["factors"])
        if identity != (self.study, cell.key, cell.seed, cell.factors):
            raise ValueError("it is a cell of something else")
        if in_full and header["arrays"] != {name: _digest(a) for name, a in arrays.items()}:
            raise ValueError("the hash of an array is wrong")

    def _put_aside(self, file: Path, reason: str) -> None:
        folder = self.path / ASIDE
        if folder.is_symlink():
            folder.unlink()  # it would lead out of the output folder
        folder.mkdir(exist_ok=True)
        number = sum(1 for _ in folder.iterdir())
        target = folder / f"{number}-{file.name}"
        os.replace(file, target)
        self.set_aside.append(SetAside(target, reason))


def _load(file: Path, arrays: bool) -> tuple[Any, dict[str, NDArray[Any]]]:
    if file.suffix == ".json":
        return json.loads(file.read_text(encoding="utf-8")), {}
    with open(file, "rb") as handle, np.load(handle, allow_pickle=False) as archive:
        _check_sizes(archive.zip, file.stat().st_size)
        header = json.loads(archive[HEADER].tobytes())
        names = [name for name in archive.files if name.startswith(PREFIX)] if arrays else []
        return header, {name.removeprefix(PREFIX): archive[name] for name in names}


def _check_sizes(archive: ZipFile, size: int) -> None:
    """Refuse what would unpack to more than the file is long: cells are never compressed."""
    entries = archive.infolist()
    if any(entry.compress_type != ZIP_STORED for entry in entries):
        raise ValueError("it holds compressed data")
    if sum(entry.file_size for entry in entries) > size:
        raise ValueError("it declares more data than it holds")
    for entry in entries:
        with archive.open(entry) as stream:
            read = {(1, 0): read_array_header_1_0, (2, 0): read_array_header_2_0}
            shape, _, dtype = read[read_magic(stream)](stream)
            if dtype.hasobject or math.prod(shape) * dtype.itemsize > entry.file_size:
                raise ValueError("an array declares more data than it holds")


def _outcome(header: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Outcome:
    fields = {name: header[name] for name in Outcome._fields if name != "arrays"}
    return Outcome(**fields, arrays=arrays)


def _content_hash(header: dict[str, Any]) -> str:
    return sha256(json.dumps(header, sort_keys=True).encode()).hexdigest()


def _digest(array: NDArray[Any]) -> str:
    return f"{array.dtype.str} {digest(array)}"
