"""Answers that only a comparison in several dimensions has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ordered_mix.compare.verdicts import (
    agree,
    answered,
    best_parameterization,
    by_chain,
    criteria,
    jacobian,
    last_component,
    modes,
    numbers,
    ordering,
    point_estimators,
    ranked,
    switching,
    usable,
)
from ordered_mix.draws.predictive import thinned
from ordered_mix.draws.quantities import invariant_quantities
from ordered_mix.fitted.questions_points import description_of_points, prior_of_points
from ordered_mix.fitted.verdict import GOOD, NEARLY, Verdict

if TYPE_CHECKING:
    from ordered_mix.compare.points import ComparisonOfPoints

SEPARATES = 0.99
"""Share of the draws that have one order along a direction that separates."""


def verdicts(comparison: ComparisonOfPoints) -> list[Verdict]:
    """The verdicts that apply, the most important first."""
    return answered(
        comparison, agree, modes, _describe, _prior, numbers, last_component, separating_axis,
        point_estimators,
        best_parameterization, invariant_efficiency, switching, ordering, jacobian, criteria,
    )  # fmt: skip


def _describe(comparison: ComparisonOfPoints) -> Verdict:
    return description_of_points(comparison.fitted)


def _prior(comparison: ComparisonOfPoints) -> Verdict:
    return prior_of_points(comparison.fitted)


def separating_axis(comparison: ComparisonOfPoints) -> Verdict | None:
    """Along which direction components can be ordered."""
    if comparison.settings.components == 1:
        return None
    table = comparison.axes
    best = table.iloc[0]
    told = "; ".join(
        f"{row['axis']} {row['separation']:.2f} ({row['kept']:.1%})"
        for row in table.to_dict("records")
    )
    reason = (
        "Smallest distance of neighbouring means in pooled standard deviations along each "
        f"direction, and the share of the draws with the usual order: {told}."
    )
    values = {row["axis"]: row for row in table.to_dict("records")}
    question = "Along which direction are the components ordered?"
    good = best["kept"] >= SEPARATES
    answer = f"{best['axis']}." if good else f"None for certain; {best['axis']} is the best."
    clause = f"the components are {'' if good else 'not '}told apart along one direction"
    clause = f"{best['axis']} separates the components" if good else clause
    return Verdict("axis", GOOD if good else NEARLY, question, answer, reason, clause, values)


def invariant_efficiency(comparison: ComparisonOfPoints) -> Verdict | None:
    """Which parameterization samples best what does not depend on labels."""
    efficiency = {}
    for label, item in usable(comparison).items():
        kept = thinned(item.draws.mixture, comparison.data.n)
        share = kept.batch_shape[1] / item.draws.mixture.batch_shape[1]
        values = invariant_quantities(comparison.data, kept)
        efficiency[label] = by_chain(values, item.draws.passes * share)
    found = ranked(
        "invariant", "Which samples label-invariant quantities best?", efficiency,
        "smallest ESS per pass of the log likelihood, of means, standard deviations and "
        "correlations of the mixture, and of the density at three points",
    )  # fmt: skip
    return None if found is None else Verdict(**vars(found) | {"clause": ""})
