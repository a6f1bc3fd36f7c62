"""What is measured of every sampler: one column each, for files, the report and the terminal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ordered_mix.fitted.posterior import Sampled


@dataclass(frozen=True)
class Column:
    """One number of a posterior.

    Parameters
    ----------
    heading : str
        Of the report's column.
    digits : str
        How it is written, as a format specification such as ``.3f``; percentages are shares.
    measure : callable
        The number.
    short : str
        Its heading on the terminal; empty if it is not shown there.
    """

    heading: str
    digits: str
    measure: Callable[[Any], float]
    short: str = ""


def _worst(column: str, labels: str = "relabelled") -> Callable[[Any], float]:
    return lambda item: item.worst(column, labels)


SAMPLERS = {
    "rhat_raw": Column("R-hat, raw", ".3f", _worst("rhat", "raw"), "R-hat raw"),
    "rhat": Column("R-hat, relabelled", ".3f", _worst("rhat"), "R-hat"),
    "ess_bulk": Column("ESS, bulk", ".0f", _worst("ess_bulk"), "ESS"),
    "ess_tail": Column("ESS, tail", ".0f", _worst("ess_tail")),
    "ess_per_1000_passes": Column(
        "ESS per 1,000 passes", ".1f", lambda item: 1000 * item.worst("ess_per_pass", "relabelled"),
        "/1000 p.",
    ),
    "passes": Column(
        "Passes", ".0f", lambda item: int(item.draws.passes.sum() + item.draws.warmup_passes.sum())
    ),
    "divergences": Column("Divergences", ".0f", lambda item: item.divergences, "div."),
    "restarted": Column("Chains restarted", ".0f", lambda item: item.restarted),
    "label_changes": Column("Steps that switch labels", ".1%", lambda item: item.label_changes),
    "switching_rate": Column(
        "Steps that change the order of the means", ".1%",
        lambda item: item.switching.switching_rate,
    ),
    "chain_disagreement": Column(
        "Chains disagree on labels", ".2f", lambda item: item.switching.chain_disagreement
    ),
    "gap_mass": Column("Draws near gap = 0", ".1%", lambda item: item.switching.gap_mass),
}  # fmt: skip
PREDICTIVE = {
    "elpd_waic": Column("elpd, WAIC", ".2f", lambda item: float(item.elpd_waic.elpd), "WAIC"),
    "elpd_waic_se": Column("Standard error", ".2f", lambda item: float(item.elpd_waic.se)),
    "p_waic": Column("p, WAIC", ".2f", lambda item: float(item.elpd_waic.p)),
    "high_p_waic": Column(
        "Points with high p", ".0f", lambda item: int(item.elpd_waic.n_high_p)
    ),
    "elpd_loo": Column("elpd, LOO", ".2f", lambda item: float(item.elpd_loo.elpd), "LOO"),
    "elpd_loo_se": Column("Standard error", ".2f", lambda item: float(item.elpd_loo.se)),
    "p_loo": Column("p, LOO", ".2f", lambda item: float(item.elpd_loo.p)),
    "largest_pareto_k": Column(
        "Largest Pareto k", ".2f", lambda item: item.elpd_loo.largest_pareto_k
    ),
}  # fmt: skip


INVARIANT = {
    "invariant_rhat": Column(
        "R-hat, label-invariant", ".3f", lambda item: float(item.invariants["rhat"].max())
    ),
    "invariant_per_1000_passes": Column(
        "Label-invariant ESS per 1,000 passes", ".1f",
        lambda item: 1000 * float(item.invariants["ess_per_pass"].min()),
    ),
}  # fmt: skip
"""Beside them in several dimensions."""


def measured(item: Sampled) -> dict[str, float]:
    """Every column of one posterior by its name."""
    return {name: column.measure(item) for name, column in {**SAMPLERS, **PREDICTIVE}.items()}
