"""The confidence of intervals: 95%, or another one while a family of claims is judged together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

CONFIDENCE = 0.95
_current = ContextVar("confidence", default=CONFIDENCE)


def confidence() -> float:
    """The confidence that the intervals of effects have now."""
    return _current.get()


@contextmanager
def at_confidence(level: float) -> Iterator[None]:
    """Give the intervals of effects made in the block this confidence.

    Raises
    ------
    ValueError
        If the level is not between 0 and 1.
    """
    if not 0 < level < 1:
        raise ValueError(f"level must be between 0 and 1, got {level}")
    token = _current.set(level)
    try:
        yield
    finally:
        _current.reset(token)
