"""Options that several commands share."""

from __future__ import annotations

import logging
from typing import Annotated

import typer

log = logging.getLogger("ordered_mix")


def _tell(asked: bool) -> bool:
    if asked:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
        log.addHandler(handler)
        log.setLevel(logging.INFO)
    return asked


Force = Annotated[bool, typer.Option("--force", help="Overwrite results that are there.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")]
Verbose = Annotated[
    bool,
    typer.Option(
        "--verbose",
        "-v",
        help="Say on standard error what is done and when; an error has its traceback.",
        callback=_tell,
    ),
]
