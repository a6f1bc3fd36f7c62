"""Samplers in the order of their errors, at equal passes and at equal seconds."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

OVERSPENT = 1.5
"""Times its budget: what spends more has an infinite error there."""
BROKEN = ("never_crosses", "wrong_jacobian")


def cells(table: pd.DataFrame) -> pd.DataFrame:
    """One row for each entrant, posterior and budget: the error in the median over the runs.

    Parameters
    ----------
    table : DataFrame
        Of the study in references/samplers.py: ``entrant``, ``posterior``, ``budget``,
        ``replicate``, ``largest``, ``spent`` (share of the budget) and ``reason``.

    Returns
    -------
    DataFrame
        Columns ``entrant``, ``posterior``, ``budget``, ``error`` (infinite for a run without draws
        or that overspent), ``low`` and ``high``, the smallest and largest of the runs. Samplers
        that do not take the model are left out.
    """
    groups = _errors(table).groupby(["entrant", "posterior", "budget"], sort=False)["error"]
    return groups.agg(error="median", low="min", high="max").reset_index()


def ranking(table: pd.DataFrame) -> pd.DataFrame:
    """Entrants, best first, by their score at the largest budget of passes.

    There noise has become small and bias has not. The score is the largest error of a functional,
    in posterior standard deviations, in the median over the runs, in the mean over the posteriors
    that the entrant takes.

    Returns
    -------
    DataFrame
        Columns ``entrant``, one for each budget with the score there, ``score``, ``low`` and
        ``high``, the smallest and largest score of a single run of all posteriors, and
        ``posteriors``, their number.
    """
    found, decisive = cells(table), decides(table)
    wide = found.pivot_table(
        index="entrant", columns="budget", values="error", aggfunc=_mean, sort=False
    )
    own = _errors(table)
    runs = own[own["budget"] == decisive].groupby(["entrant", "replicate"])["error"].agg(_mean)
    wide = wide.assign(
        score=wide[decisive],
        low=runs.groupby("entrant").min(),
        high=runs.groupby("entrant").max(),
        posteriors=found.groupby("entrant")["posterior"].nunique(),
    )
    return wide.sort_values("score", kind="stable").reset_index().rename_axis(columns=None)


def decides(table: pd.DataFrame) -> str:
    """The largest budget of passes."""
    budgets = [name for name in table["budget"].unique() if passes(name)]
    return max(budgets, key=passes)


def passes(budget: str) -> float:
    """Passes of a budget, 0 if it is one of seconds."""
    found = re.match(r"(\d+) passes", budget)
    return float(found[1]) if found else 0.0


def _errors(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of entrants that take the model, with their ``error``."""
    refused = table.groupby(["entrant", "posterior"])["reason"].transform("count") > 0
    good = table["largest"].notna() & (table["spent"] <= OVERSPENT)
    return table.assign(error=np.where(good, table["largest"], np.inf))[~refused]


def _mean(values: pd.Series) -> float:
    """Infinite if one of them is, which pandas would leave out."""
    return float(np.mean(values.to_numpy()))
