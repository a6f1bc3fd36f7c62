"""Draws from a file that somebody else made: checked before they are unpacked."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import xarray as xr

from ordered_mix.errors import one_line
from ordered_mix.files.cmdstan import SUFFIX, read_cmdstan

MOST_BYTES = 4 << 30
HEADROOM = 2
SHOWN = 300


def load_draws(*paths: Path) -> xr.DataTree:
    """Read an ArviZ DataTree from netCDF or zarr, or the CSV files of CmdStan's chains.

    A small file may declare arrays of any size: what it declares is added up before anything is
    unpacked, and what it unpacks to nevertheless is bounded. Nothing is ever unpickled.

    Raises
    ------
    ValueError
        If a file does not exist, is no such tree, or unpacks to more than 4 GiB, or if several
        are given that are not CSV files of one model.
    """
    for path in paths:
        if not path.exists():
            raise ValueError(f"draws {str(path)!r} does not exist")
    if len({path.resolve() for path in paths}) < len(paths):
        raise ValueError(
            f"draws must be another file for each chain, got {', '.join(map(str, paths))}"
        )
    if all(path.suffix == SUFFIX for path in paths):
        if sum(path.stat().st_size for path in paths) > MOST_BYTES:
            raise ValueError(f"draws must be at most {MOST_BYTES:,} bytes of CSV files")
        return read_cmdstan(paths)
    if len(paths) > 1:
        raise ValueError(
            "draws must be one netCDF or zarr file, or CSV files of CmdStan, one for each chain, "
            f"got {', '.join(repr(str(path)) for path in paths)}"
        )
    return _tree(paths[0])


def _tree(path: Path) -> xr.DataTree:
    how: dict[str, Any] = {"engine": "h5netcdf", "phony_dims": "sort"}
    if path.is_dir() or path.suffix in (".zarr", ".zip"):
        how = {"engine": "zarr", "consolidated": False}
    try:
        _check(_size_of_zip(path))
        with _memory(HEADROOM * MOST_BYTES):
            with xr.open_datatree(path, **how) as tree:
                _check(sum(node.dataset.nbytes for node in tree.subtree))
                return tree.load()
    except MemoryError:
        raise ValueError(
            f"draws {str(path)!r} must unpack to at most {MOST_BYTES:,} bytes, it has more"
        ) from None
    except Exception as error:
        reason = one_line(f"{type(error).__name__}: {error}")[:SHOWN]
        raise ValueError(
            f"draws {str(path)!r} must be a netCDF or zarr file of an ArviZ DataTree, reading it "
            f"ends in {reason}"
        ) from None


def _check(size: int) -> None:
    if size > MOST_BYTES:
        raise MemoryError


def _size_of_zip(path: Path) -> int:
    """What the entries of a zip file declare, 0 for other files."""
    try:
        with ZipFile(path) as archive:
            return sum(entry.file_size for entry in archive.infolist())
    except (BadZipFile, OSError):
        return 0


@contextmanager
def _memory(extra: int) -> Iterator[None]:
    """Let this process have so many bytes more than now, where the system can tell and hold it."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    with suppress(OSError, ValueError, IndexError):
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        most = pages * resource.getpagesize() + extra
        if before[0] == resource.RLIM_INFINITY or before[0] > most:
            resource.setrlimit(resource.RLIMIT_AS, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
