"""The questions that a fit in several dimensions must answer before it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ordered_mix.data import Data
from ordered_mix.fitted.agreement import FEWER, did_the_chains_agree, remedy
from ordered_mix.fitted.description_points import does_the_mixture_describe_the_points
from ordered_mix.fitted.particular import edges
from ordered_mix.fitted.prior_question import does_the_prior_decide
from ordered_mix.fitted.questions import how_many_components
from ordered_mix.fitted.verdict import BAD, Verdict

if TYPE_CHECKING:
    from ordered_mix.fitted.points import FittedPoints


def questions_of_points(fitted: FittedPoints) -> list[Verdict]:
    """Those that can be asked of what was computed."""
    found = [
        did_the_chains_agree(
            fitted.posterior.agreement, fitted.components, fitted.chains, "Gibbs sampling"
        ),
        description_of_points(fitted),
    ]
    if fitted.mode is not None:
        found.append(prior_of_points(fitted))
    return found + ([how_many_components(fitted)] if len(fitted.criteria) > 1 else [])


def description_of_points(fitted: FittedPoints) -> Verdict:
    """Whether the mixture describes the points, from the draws, with advice that follows."""
    agreement, data = fitted.posterior.agreement, fitted.data
    crowded = agreement.status == BAD and remedy(agreement, fitted.components) == FEWER
    ends = {name: edges(Data(y)) for name, y in zip(data.columns, data.y.T, strict=True)}
    return does_the_mixture_describe_the_points(fitted.checks, fitted.refits, ends, crowded)


def prior_of_points(fitted: FittedPoints) -> Verdict:
    """Whether the prior decides, from the mode and the draws."""
    free = fitted.prior.free_parameters(fitted.components) / 2
    found = fitted.prior_sensitivity
    return does_the_prior_decide(max(0.0, found.below_maximum), free, found)
