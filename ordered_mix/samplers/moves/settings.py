"""What every sampler asks of its own settings."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any


def at_least(settings: Any, **lowest: int) -> None:
    """Refuse settings below their lowest values.

    Raises
    ------
    ValueError
        That names the first of them, what was given and the lowest value.
    """
    for name, least in lowest.items():
        if getattr(settings, name) < least:
            raise ValueError(f"{name} must be at least {least}, got {getattr(settings, name)}")


def among(settings: Any, **accepted: Collection[str]) -> None:
    """Refuse settings that are none of the names accepted.

    Raises
    ------
    ValueError
        That names the first of them, what was given and the names.
    """
    for name, names in accepted.items():
        if getattr(settings, name) not in names:
            raise ValueError(
                f"{name} must be one of {', '.join(names)}, got {getattr(settings, name)!r}"
            )


def check_seed(seed: int) -> None:
    """Refuse a negative seed.

    Raises
    ------
    ValueError
    """
    if seed < 0:
        raise ValueError(f"seed must be at least 0, got {seed}")
