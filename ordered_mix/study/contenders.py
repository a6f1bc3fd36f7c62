"""Contenders of a study of samplers: coordinates with an adaptation, or a sampler that has none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import pandas as pd

from ordered_mix.parameterization import catalog
from ordered_mix.samplers.gibbs import Gibbs
from ordered_mix.samplers.nuts import NUTS
from ordered_mix.samplers.pilot import Pilot
from ordered_mix.study.claims import Effect

NONE = "none"
GIBBS, PILOT = "Gibbs", "pilot"


def sampled(
    coordinates: str, adaptation: str, k: int, prior: Any, data: Any, starts: Any, seed: int,
    draws: int, tune: int, sweeps: int,
) -> Any:  # fmt: skip
    """Draws of NUTS with this adaptation, or of the sampler that the coordinates name.

    One that needs no coordinates records unordered ones; so many ``sweeps`` of Gibbs sampling stand
    for each draw of NUTS.
    """
    alone: dict[str, Any] = {
        GIBBS: partial(Gibbs, draws=sweeps * draws),
        PILOT: partial(Pilot, draws=draws, sweeps=sweeps),
    }
    nuts = partial(NUTS, draws=draws, adaptation=adaptation)
    sampler = alone.get(coordinates, nuts)(tune=tune)
    name = "unordered" if coordinates in alone else coordinates
    model = catalog.parameterization(name, k, prior)
    return sampler.sample(model, data, starts, seed % 2**31)


def charged(row: Mapping[str, Any], sweeps: int) -> dict[str, Any]:
    """A row of measures in which so many passes of warm-up, those of a pilot, count as draws'."""
    passes = row["passes"] + sweeps
    return {**row, "passes": passes, "warmup_passes": row["warmup_passes"] - sweeps,
            "seconds": row["seconds"] * passes / row["passes"]}  # fmt: skip


def named(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows with the column ``contender``: coordinates and adaptation, the pilot by its name."""
    names = rows["coordinates"] + ", " + rows["adaptation"]
    return rows.assign(contender=names.replace({f"{PILOT}, {NONE}": PILOT}))


def block(contenders: Mapping[str, Sequence[str]], **given: Any) -> list[dict[str, Any]]:
    """Grids of contenders with their adaptations."""
    return [
        {"coordinates": (name,), "adaptation": tuple(adaptations), **given}
        for name, adaptations in contenders.items()
    ]


def by_data_set(settings: Sequence[tuple[float, float]], replicates: range) -> list[dict[str, Any]]:
    """Grids of a separation and a weight each, data set by data set."""
    return [
        {"separation": (separation,), "weight": (weight,), "replicate": (number,)}
        for number in replicates
        for separation, weight in settings
    ]


def question(contest: Any, method: str, given: Sequence[Any], **where: Any) -> Any:
    """The effect of a claim: what a method of the contest on some rows of a table says.

    Parameters
    ----------
    contest : callable
        From a table and values of its columns to a `Contest`.
    method : str
    given : sequence
        What the method is given.
    **where
        Values of columns.
    """
    return partial(_asked, contest=contest, method=method, given=tuple(given), where=where)


def _asked(
    table: pd.DataFrame, contest: Any, method: str, given: Sequence[Any], where: dict[str, Any]
) -> Effect:
    found: Effect = getattr(contest(table, **where), method)(*given)
    return found


def pair(adaptation: str) -> tuple[str, str]:
    """Ordered and unordered means with one mass matrix."""
    return f"ordered, {adaptation}", f"unordered, {adaptation}"
