"""Reading that goes on while what was read is computed with."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from queue import Full, Queue
from typing import Any

from ordered_mix.files.blocks import Block, Part

MOST = 3
"""Blocks that wait at most."""
TICK = 0.1


def read_ahead(parts: Sequence[Part], most: int = MOST) -> Iterator[tuple[int, Block]]:
    """Blocks of parts, each with the number of its part, in order; one thread reads.

    Parameters
    ----------
    parts : sequence of Part
    most : int
        How many blocks the thread may be ahead.

    Raises
    ------
    Exception
        What the reading of a block raises, once the blocks before it are used.
    """
    waiting: Queue[Any] = Queue(most)
    left = threading.Event()

    def put(item: Any) -> None:
        while not left.is_set():
            try:
                return waiting.put(item, timeout=TICK)
            except Full:
                pass

    def read() -> None:
        try:
            for number, part in enumerate(parts):
                for block in part.blocks():
                    put((number, block))
                    if left.is_set():
                        return
            put(None)
        except BaseException as error:
            put(error)

    thread = threading.Thread(target=read, name="reader", daemon=True)
    thread.start()
    try:
        while (item := waiting.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        left.set()
        thread.join()
