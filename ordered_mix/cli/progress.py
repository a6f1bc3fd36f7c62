"""What is shown while a command works: a moving line on a terminal, else one line per stage."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ordered_mix.cli.options import log

if TYPE_CHECKING:
    from ordered_mix.engine.progress import Progress

TENTHS = 10


@contextmanager
def stages(quiet: bool) -> Iterator[Callable[[str], None]]:
    """Show the name of each stage.

    Parameters
    ----------
    quiet : bool
        Whether to show nothing.
    """
    if quiet or not _moves():
        yield _line(quiet)
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as moving:
        task = moving.add_task("start", total=None)
        yield lambda name: moving.update(task, description=name)


@contextmanager
def cells(quiet: bool) -> Iterator[Callable[[Progress], None]]:
    """Show how many cells of a study are settled.

    Parameters
    ----------
    quiet : bool
        Whether to show nothing.
    """
    if quiet or not _moves():
        yield _tenths(_line(quiet))
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bars

    columns = (BarColumn(), TextColumn("{task.description}"))
    with Bars(*columns, console=Console(stderr=True)) as moving:
        task = moving.add_task("starting", total=None)

        def show(state: Progress) -> None:
            settled = state.total - state.left
            moving.update(task, total=state.total, completed=settled, description=str(state))

        yield show


def _moves() -> bool:
    return sys.stderr.isatty() and not log.isEnabledFor(logging.INFO)


def _line(quiet: bool) -> Callable[[str], None]:
    if log.isEnabledFor(logging.INFO):
        return log.info
    return (lambda text: None) if quiet else (lambda text: print(text, file=sys.stderr, flush=True))


def _tenths(write: Callable[[str], None]) -> Callable[[Progress], None]:
    """Write the state when a further tenth of the cells is settled."""
    written = -1

    def show(state: Progress) -> None:
        nonlocal written
        reached = TENTHS * (state.total - state.left) // max(state.total, 1)
        if reached > written:
            written = reached
            write(str(state))

    return show
