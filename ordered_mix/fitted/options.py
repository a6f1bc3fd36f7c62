"""What may be asked of samplers: names and ranges, checked before any work."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import Any

import numpy as np

from ordered_mix.parameterization import catalog

SAMPLERS = {"nuts": "nutpie", "nuts-pymc": "pymc"}
POINT_ESTIMATORS = tuple(catalog.names("estimator"))
ESTIMATORS = (*POINT_ESTIMATORS, *SAMPLERS)
MOST_DRAWS = 10_000_000
RANGES = {
    "components": (1, 1000), "chains": (2, 1000), "draws": (50, MOST_DRAWS),
    "tune": (50, MOST_DRAWS), "seed": (0, 2**63 - 1), "cores": (1, 1000),
}  # fmt: skip


def check_range(name: str, value: Any) -> None:
    """Raise a ValueError if a number of `RANGES` is not whole, or out of range."""
    lowest, highest = RANGES[name]
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or value < lowest:
        raise ValueError(f"{name} must be a whole number of at least {lowest}, got {value}")
    if value > highest:
        raise ValueError(f"{name} must be a whole number of at most {highest}, got {value}")


def check_ranges(given: Mapping[str, Any]) -> None:
    """Raise a ValueError if a whole number is out of range, or the draws are too many in all."""
    for name in (name for name in RANGES if name in given):
        check_range(name, given[name])
    if given["chains"] * (given["draws"] + given["tune"]) > MOST_DRAWS:
        raise ValueError(
            f"draws must be at most {MOST_DRAWS:,} with the warm-up of all chains, got "
            f"{given['chains']} x ({given['draws']} + {given['tune']})"
        )
    if not 0 < given["time_limit"] < np.inf:
        raise ValueError(f"time_limit must be positive and finite, got {given['time_limit']}")
    if not 0 < given["target_accept"] < 1:
        raise ValueError(f"target_accept must lie between 0 and 1, got {given['target_accept']}")


def check_estimators(names: Collection[str]) -> None:
    """Raise a ValueError if a name is unknown, with the near match, or there is none."""
    for name in names:
        if name not in ESTIMATORS:
            near = get_close_matches(name, ESTIMATORS, n=1, cutoff=0.4)
            hint = f", did you mean {near[0]!r}" if near else ""
            raise ValueError(
                f"estimators must be among {', '.join(ESTIMATORS)}, got {name!r}{hint}"
            )
    if not names:
        raise ValueError(f"estimators must be among {', '.join(ESTIMATORS)}, got none")
