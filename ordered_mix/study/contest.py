"""Contenders compared on the units where both have converged; runs that have not are counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ordered_mix.draws.rhat import RHAT_THRESHOLD
from ordered_mix.study.claims import Effect
from ordered_mix.study.effects import difference_of_shares, extreme, from_logs, mean, rows_of

LEAST_UNITS = 5
MEASURED = (
    "ess", "rhat", "passes", "warmup_passes", "converged_passes", "invariant_ess", "seconds",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Contest:
    """Runs of several contenders on the same units, such as data sets.

    Parameters
    ----------
    rows : DataFrame
        One run a row, with the columns ``contender``, ``converged`` (bool), and those named.
    units : tuple of str
        Columns that make a unit.
    settings : tuple of str
        Those of them that make a setting, over which nothing is averaged.
    """

    rows: pd.DataFrame
    units: tuple[str, ...]
    settings: tuple[str, ...]

    def values(self, column: str) -> pd.DataFrame:
        """A column by unit and contender, NaN where a run has not converged or is missing."""
        kept = self.rows.assign(value=self.rows[column].where(self.rows["converged"]))
        return kept.pivot(index=list(self.units), columns="contender", values="value")

    def difference(self, top: str, bottom: str, column: str) -> pd.Series:
        """One contender less another on the units where both have converged.

        Raises
        ------
        ValueError
            If one of them has no run.
        """
        return _difference(self.values(column), top, bottom)

    def log_ratio(self, top: str, bottom: str, column: str) -> Effect:
        """Log of one contender over another where both have converged; the column holds logs.

        Raises
        ------
        ValueError
            If both have on fewer than two units.
        """
        logs = self.difference(top, bottom, column)
        if len(logs) < 2:
            many = self.rows["contender"].value_counts()[[top, bottom]].min()
            raise ValueError(f"{top} and {bottom} both converge on {len(logs)} of {many} data sets")
        return mean(logs)

    def ratio(self, top: str, bottom: str, column: str) -> Effect:
        """Exponential of `log_ratio`."""
        return from_logs(self.log_ratio(top, bottom, column))

    def ratio_of_ratios(self, new: tuple[str, str], old: tuple[str, str], column: str) -> Effect:
        """`ratio` of one pair over that of another; the column holds logs."""
        there, here = (self.difference(*pair, column) for pair in (new, old))
        return from_logs(mean((there - here).dropna()))

    def converges_more(self, top: str, bottom: str) -> Effect:
        """Share of the runs of one contender that converge less that of another."""
        return difference_of_shares(*self.converged(top, bottom))

    def converged(self, top: str, bottom: str) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Whether each of two contenders has converged, on the units where both were run."""
        found = self.rows.pivot(index=list(self.units), columns="contender", values="converged")
        both = found.reindex(columns=[top, bottom]).dropna().astype(bool)
        return both[top].to_numpy(), both[bottom].to_numpy()

    def shares(self, column: str) -> pd.DataFrame:
        """Exponential of a column less that of the best, by contender (rows) and setting.

        The best has the largest mean among those that converge on at least half of the units. Means
        over the units where both have converged; NaN where there are fewer than five.
        """
        found = {}
        for setting, part in self.values(column).groupby(list(self.settings)):
            regular = part.loc[:, part.notna().mean() >= 0.5]
            if not regular.empty:
                off = part.sub(part[regular.mean().idxmax()], axis=0)
                found[setting] = np.exp(off.mean().where(off.notna().sum() >= LEAST_UNITS))
        names = pd.MultiIndex.from_tuples(found, names=self.settings)
        return pd.DataFrame(found, columns=names)

    def converging(self) -> pd.DataFrame:
        """Share of runs that converge, by contender (rows) and setting."""
        found = self.rows.groupby(["contender", *self.settings])["converged"].mean()
        return found.unstack(self.settings)

    def typical(self, column: str) -> pd.DataFrame:
        """Geometric mean over runs that converge, by contender (rows) and setting; of logs."""
        rows = self.rows[self.rows["converged"]]
        logs = rows.groupby(["contender", *self.settings])[column].mean()
        return np.exp(logs.unstack(self.settings))

    def leader(self, column: str) -> str:
        """The contender whose worst share is largest, of those judged in every setting.

        Raises
        ------
        ValueError
            If none is.
        """
        worst = self.shares(column).min(axis=1, skipna=False).dropna()
        if worst.empty:
            raise ValueError("no contender has enough runs that converge in every setting")
        return str(worst.idxmax())

    def leading(self, column: str) -> Effect:
        """`least` of the `leader`."""
        return self.least(self.leader(column), column)

    def worst(self, *columns: str) -> pd.DataFrame:
        """Least of the `shares` of each column over settings, by contender, the best first.

        Only contenders that are judged in every setting.
        """
        found = {name: self.shares(name).min(axis=1, skipna=False) for name in columns}
        return pd.DataFrame(found).dropna().sort_values(columns[0], ascending=False)

    def least(self, name: str, column: str, rivals: Sequence[str] = ()) -> Effect:
        """Ratio of a contender to each other one, or to rivals, in the setting where it is least.

        The column holds logs; all intervals hold together (`effects.extreme`).
        """
        values = self.values(column)
        others = rivals or [other for other in values if other != name]
        logs = [_difference(values, name, other) for other in others]
        return from_logs(extreme([part for one in logs for part in self.by_setting(one)], min))

    def most(self, top: str, bottom: str, column: str) -> Effect:
        """Ratio of two contenders in the setting where it is largest; the column holds logs."""
        return from_logs(extreme(self.by_setting(self.difference(top, bottom, column)), max))

    def largest(self, name: str, column: str) -> Effect:
        """Mean of a column over all runs of a contender in the setting where it is largest."""
        values = self.rows[self.rows["contender"] == name].set_index(list(self.units))[column]
        return extreme(self.by_setting(values), max)

    def by_setting(self, values: pd.Series) -> list[NDArray[np.float64]]:
        """One sample for each setting with enough units."""
        groups = (part.to_numpy() for _, part in values.groupby(list(self.settings)))
        return [part for part in groups if len(part) >= LEAST_UNITS]


def _difference(values: pd.DataFrame, top: str, bottom: str) -> pd.Series:
    absent = [name for name in (top, bottom) if name not in values]
    if absent:
        raise ValueError(f"the table holds no such runs of {' and '.join(absent)}")
    return (values[top] - values[bottom]).dropna()


def with_rates(rows: pd.DataFrame, target: int = 1000) -> pd.DataFrame:
    """Rows of `sampler_measures` with whether they converged, and the logs that are compared.

    Columns that the table lacks, and what comes of them, are NaN.

    ``log_rate`` is that of the ESS per pass, ``log_speed`` per second, ``log_invariant`` that of
    the label-invariant ESS per pass; ``log_needed`` that of the passes to so many effective draws,
    warm-up included, ``log_converged`` to convergence; ``rate`` is the ESS per 1,000 passes.
    """
    rows = rows_of(rows, MEASURED)
    effective = rows["passes"] / rows["ess"]
    return rows.assign(
        converged=rows["rhat"] <= RHAT_THRESHOLD,
        rate=1000 / effective,
        log_rate=-np.log(effective),
        log_invariant=np.log(rows["invariant_ess"] / rows["passes"]),
        log_speed=np.log(rows["ess"] / rows["seconds"]),
        log_needed=np.log(rows["warmup_passes"] + target * effective),
        log_converged=np.log(rows["converged_passes"].astype(float)),
    )
