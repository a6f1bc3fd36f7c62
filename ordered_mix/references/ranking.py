"""Samplers in the order of their errors, at equal passes and at equal seconds."""

from __future__ import annotations

import numpy as np
import pandas as pd

OVERSPENT = 1.5
"""Times its budget: what spends more is not ranked at that budget but comes last."""
BROKEN = ("never_crosses", "wrong_jacobian")


def cells(table: pd.DataFrame) -> pd.DataFrame:
    """One row for each entrant, posterior and budget: root mean square error over the seeds.

    Parameters
    ----------
    table : DataFrame
        Of the study in references/samplers.py: ``entrant``, ``posterior``, ``budget``,
        ``replicate``, ``rms``, ``spent`` (share of the budget) and ``reason``.

    Returns
    -------
    DataFrame
        Columns ``entrant``, ``posterior``, ``budget``, ``rms`` (infinite where a run gave no draws
        or overspent) and ``takes`` (False where the sampler does not take the model).
    """
    good = table["rms"].notna() & (table["spent"] <= OVERSPENT)
    squares = np.where(good, table["rms"] ** 2, np.inf)
    own = table.assign(squares=squares, refused=table["reason"].notna())
    groups = own.groupby(["entrant", "posterior", "budget"])
    found = groups.agg(squares=("squares", "mean"), refused=("refused", "all")).reset_index()
    return found.assign(rms=np.sqrt(found["squares"]), takes=~found["refused"])[
        ["entrant", "posterior", "budget", "rms", "takes"]
    ]


def ranking(table: pd.DataFrame) -> pd.DataFrame:
    """Mean rank of every entrant over the posteriors that it takes, best first.

    A rank is the share of the others on the same posterior and budget that have a smaller error, a
    tie counting half: 0 is best, 1 is worst.

    Returns
    -------
    DataFrame
        Columns ``entrant``, one for each budget, ``rank`` (their mean) and ``posteriors``.
    """
    found = cells(table)
    found = found[found["takes"]]
    groups = found.groupby(["posterior", "budget"])["rms"]
    others = np.maximum(groups.transform("size") - 1, 1)
    found = found.assign(share=(groups.rank(method="average") - 1) / others)
    wide = found.pivot_table(index="entrant", columns="budget", values="share", aggfunc="mean")
    counted = found.groupby("entrant")["posterior"].nunique()
    wide = wide.assign(rank=wide.mean(axis=1), posteriors=counted)
    return wide.sort_values("rank", kind="stable").reset_index().rename_axis(columns=None)
