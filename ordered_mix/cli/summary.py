"""The summary of a result folder, which a command makes once and then shows."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ordered_mix.cli.progress import stages

if TYPE_CHECKING:
    from ordered_mix.files.results import ResultFolder

SUMMARY = "summary.json"
THERE_ALREADY = "these results were there already, --force computes them anew"


def made_once(
    folder: ResultFolder,
    force: bool,
    quiet: bool,
    make: Callable[[Callable[[str], None]], None],
) -> dict[str, Any]:
    """The summary in a folder, with a note if it was there; else make, called with progress."""
    with folder.locked(force):
        if SUMMARY in folder:
            return read_summary(folder) | {"note": THERE_ALREADY}
        with stages(quiet) as progress:
            make(progress)
        return read_summary(folder)


def read_summary(folder: ResultFolder) -> dict[str, Any]:
    """The summary that a folder holds."""
    return json.loads((folder.path / SUMMARY).read_text())
