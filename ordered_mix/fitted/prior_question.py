"""Does the prior decide?"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ordered_mix.fitted.verdict import BAD, GOOD, NEARLY, Verdict, listed

if TYPE_CHECKING:
    from ordered_mix.draws.prior_sensitivity import PriorSensitivity

QUESTION = "Does the prior decide?"
MOST_NAMED = 3


def does_the_prior_decide(
    nats: float | None,
    allowance: float,
    found: PriorSensitivity | None,
    no_maximum: str = "",
    lone: Mapping[int, str] | None = None,
) -> Verdict:
    """The verdict.

    Parameters
    ----------
    nats : float or None
        Log likelihood at its maximum less that at the posterior mode; None if the likelihood has
        no maximum that could be compared with.
    allowance : float
        Half the number of free parameters: draws are as far below the maximum on average where
        the likelihood decides alone.
    found : PriorSensitivity or None
        Power-scaling sensitivities, if there are draws.
    no_maximum : str
        Why there is none.
    lone : mapping of int to str, optional
        Components that hold one data point or none, and which: where they are and how wide is
        the prior's doing.
    """
    lone = lone or {}
    scaling = {} if found is None else found.power_scaling["prior"].to_dict()
    sensitive = [] if found is None else found.sensitive
    values = {
        "nats_below_maximum": nats,
        "allowance": allowance,
        "power_scaling": scaling,
        "sensitive": sensitive,
        "lone": dict(lone),
    }
    holds = listed([f"component {k}, which holds {what}" for k, what in lone.items()])
    status, answer, clause = _judge(nats, allowance, sensitive, holds)
    reason = f"{no_maximum}." if nats is None else (
        f"At the posterior mode the log likelihood is {nats:.2f} nats below its maximum (up to "
        f"{allowance:g} is within its own uncertainty)."
    )  # fmt: skip
    if lone:
        reason += f" The prior gives for the most part the mean and sd of {holds}."
    if scaling:
        most = max(scaling, key=lambda name: scaling[name])
        reason += (
            f" Power-scaling the prior moves {in_words(most)} most: {scaling[most]:.3f}, from 0.05 "
            "on it matters."
        )
    return Verdict("prior", status, QUESTION, answer, reason, clause, values)


def in_words(name: str) -> str:
    """``sigma[1]`` as the tables call it."""
    for symbol, word in {"sigma": "sd", "mu": "mean", "w": "weight"}.items():
        name = re.sub(rf"\b{symbol}\b", word, name)
    return re.sub(r"\[(\d+)\]", r" of component \1", name)


def _judge(
    nats: float | None, allowance: float, sensitive: list[str], lone: str
) -> tuple[str, str, str]:
    if lone and (nats is None or nats <= allowance):
        return NEARLY, f"In part: on {lone}.", f"the prior decides on {lone}"
    if nats is None:
        return (
            NEARLY,
            "In part: the likelihood alone has no maximum.",
            "the prior decides in part, as the likelihood alone has no maximum",
        )
    if nats > allowance:
        return BAD, "Yes: the data alone say something else.", "the prior decides"
    if not sensitive:
        return GOOD, "No.", "the prior does not decide"
    named = ", ".join(in_words(name) for name in sensitive[:MOST_NAMED])
    more = f" and {len(sensitive) - MOST_NAMED} more" if len(sensitive) > MOST_NAMED else ""
    return NEARLY, f"In part: {named}{more}.", f"the prior decides in part ({named}{more})"
