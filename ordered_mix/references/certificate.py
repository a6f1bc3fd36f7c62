"""Whether two methods agree on a posterior, and what they say of it together."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from ordered_mix.draws.evidence import log_mean
from ordered_mix.mixture import Array
from ordered_mix.references.exact import Exact

ALPHA = 0.01
"""Probability that agreement is denied anywhere, of all comparisons of all posteriors."""
COMPARISONS = 1000
"""More than are made; each has an equal share of `ALPHA`."""
LEAST_WEIGHT = 0.005
"""Weights of modes below this, or as close to 1, are neither compared nor scored."""
METHODS = ("augmentation", "smc")


class Estimate(NamedTuple):
    """A value with its standard error, and the degrees of freedom of that."""

    value: float
    error: float
    freedom: float


class Comparison(NamedTuple):
    """How far two estimates are from each other in standard errors."""

    z: float
    p: float

    @property
    def agrees(self) -> bool:
        """Whether this is no surprise among all comparisons."""
        return self.p > ALPHA / COMPARISONS


def of_chains(values: Array) -> Estimate:
    """Mean of independent chains."""
    error = values.std(ddof=1) / np.sqrt(values.size)
    return Estimate(float(values.mean()), float(error), values.size - 1.0)


def of_islands(values: Array, log_evidence: Array) -> Estimate:
    """Mean of islands weighted by their evidence: what all particles together would give."""
    weight = np.exp(log_evidence - log_evidence.max())
    weight /= weight.sum()
    value = float(weight @ values)
    squares = weight**2 @ (values - value) ** 2
    return Estimate(value, float(np.sqrt(squares * _many(values))), 1 / float(weight @ weight) - 1)


def of_log_evidence(log_evidence: Array) -> Estimate:
    """Log of the mean evidence of islands."""
    weight = np.exp(log_evidence - log_evidence.max())
    freedom = weight.sum() ** 2 / np.sum(weight**2) - 1
    return Estimate(*log_mean(log_evidence), float(freedom))


def compare(one: Estimate, other: Estimate) -> Comparison:
    """Welch's test of two independent estimates; an exact one has the error 0."""
    squares = np.array([one.error**2, other.error**2])
    error = np.sqrt(squares.sum())
    off = one.value - other.value
    z = float(off / error) if error > 0 else 0.0 if off == 0 else np.inf
    freedom = np.array([one.freedom, other.freedom])
    welch = squares.sum() ** 2 / np.sum(squares**2 / freedom) if error > 0 else np.inf
    return Comparison(z, float(2 * stats.t.sf(abs(z), welch)))


def together(*estimates: Estimate) -> tuple[float, float]:
    """Mean weighted by precision, and its standard error."""
    sure = [one for one in estimates if one.error == 0]
    if sure:
        return sure[0].value, 0.0
    precision = np.array([one.error**-2 for one in estimates])
    value = np.average([one.value for one in estimates], weights=precision)
    return float(value), float(precision.sum() ** -0.5)


def estimates(rows: pd.DataFrame) -> dict[str, dict[str, Estimate]]:
    """Estimates of one posterior by quantity and method, from the rows of its runs.

    Parameters
    ----------
    rows : DataFrame
        A row for each chain and island, with columns ``method``, ``log_evidence`` and one for each
        functional.
    """
    chains, islands = (rows[rows["method"] == method] for method in METHODS)
    logs = islands["log_evidence"].to_numpy()
    found = {}
    for name in quantities(rows):
        one = of_chains(chains[name].to_numpy())
        other = of_islands(islands[name].to_numpy(), logs)
        rare = name.startswith("above") and not LEAST_WEIGHT < one.value < 1 - LEAST_WEIGHT
        if not rare:
            found[name] = {"augmentation": one, "smc": other}
    found["log_evidence"] = {"smc": of_log_evidence(logs)}
    bridged = chains["log_evidence"].dropna().to_numpy()
    if bridged.size > 1:
        found["log_evidence"]["augmentation"] = of_chains(bridged)
    return found


def quantities(rows: pd.DataFrame) -> list[str]:
    """Names of the functionals that this posterior has."""
    first, other = list(rows).index("chain") + 1, {"log_evidence", "estimator", "warning"}
    return [name for name in list(rows)[first:] if name not in other and rows[name].notna().any()]


def certificate(rows: pd.DataFrame, exact: Exact | None) -> dict[str, Any]:
    """Every comparison of one posterior, JSON values.

    Each quantity is compared between the two methods, and each method with quadrature.
    """
    compared: dict[str, dict[str, Any]] = {}
    for name, by_method in estimates(rows).items():
        pairs = {" and ".join(METHODS): [by_method[m] for m in METHODS if m in by_method]}
        if exact is not None:
            value = exact.log_evidence if name == "log_evidence" else exact.values[name]
            truth = Estimate(value, 0.0, np.inf)
            pairs |= {f"{m} and quadrature": [one, truth] for m, one in by_method.items()}
        found = {pair: compare(*both) for pair, both in pairs.items() if len(both) == 2}
        compared[name] = {pair: {"z": one.z, "p": one.p} for pair, one in found.items()}
    smallest = min(one["p"] for pairs in compared.values() for one in pairs.values())
    return {
        "holds": bool(smallest > ALPHA / COMPARISONS),
        "smallest_p": smallest,
        "alpha": ALPHA,
        "comparisons": COMPARISONS,
        "compared": compared,
    }


def values(rows: pd.DataFrame, exact: Exact | None) -> dict[str, dict[str, Any]]:
    """Value and standard error of every quantity, from all that was compared."""
    found = {}
    for name, by_method in estimates(rows).items():
        given = list(by_method.values())
        if exact is not None:
            value = exact.log_evidence if name == "log_evidence" else exact.values[name]
            given = [Estimate(value, 0.0, np.inf)]
        value, error = together(*given)
        found[name] = {"value": value, "error": error, "exact": exact is not None}
    return found


def _many(values: Array) -> float:
    return values.size / (values.size - 1)
