"""Does the mixture describe the points?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ordered_mix.draws.checks import Check
from ordered_mix.draws.checks_points import DISTANCE
from ordered_mix.fitted.description import IMPROBABLE, MISSES, QUESTION, advice
from ordered_mix.fitted.refits import Refits
from ordered_mix.fitted.verdict import BAD, GOOD, Verdict

FAR = {
    "ks": "points lie at other distances from the components than the mixture says",
    "tails": "points far from the components are more or fewer than the mixture says",
    "extreme": "point {at} lies where the mixture has next to nothing",
}
"""What a check of the distance says."""


def does_the_mixture_describe_the_points(
    found: Mapping[str, Mapping[str, Check]],
    refitted: Mapping[str, Refits],
    ends: Mapping[str, Sequence[float]] | None = None,
    crowded: bool = False,
) -> Verdict:
    """The verdict from the discrepancies: a p-value below 0.005 in one of the looks is a No.

    A p-value counts times the number of looks, which are the directions and the distance. Of every
    statistic the bootstrap, whose p-values are near uniform for a true mixture, then gives at most
    0.5% false alarms, and posterior predictive p-values fewer. Of 100 data sets of 150 points in
    the plane, from two components three standard deviations apart, none was denied its mixture.

    Parameters
    ----------
    found : mapping of str to mapping of str to Check
        `draws.checks_points.checks_of_points`.
    refitted : mapping of str to Refits
        Bootstrap p-values of the maximum, empty if there are none.
    ends : mapping of str to sequence of float, optional
        Where the data seem to be cut off along a direction.
    crowded : bool
        Whether components coincide already, so that more of them are no advice.
    """
    bootstrap = {look: one._asdict() for look, one in refitted.items()}
    smallest = {
        (look, name): len(found) * float(np.fmin(check.p, bootstrap.get(look, {}).get(name, 1.0)))
        for look, checks in found.items()
        for name, check in checks.items()
    }
    missed = sorted(
        (at for at in smallest if smallest[at] < IMPROBABLE),
        key=lambda at: (at[0] == DISTANCE, smallest[at]),
    )
    values: dict[str, object] = {
        look: {f"{name}_{field}": getattr(check, field) for name, check in checks.items()
               for field in ("distance", "p", "at")}
        | {f"{name}_refitted_p": p for name, p in bootstrap.get(look, {}).items()}
        for look, checks in found.items()
    }  # fmt: skip
    values["missed"] = [f"{name} of {look}" for look, name in missed]
    reason = _reason(smallest)
    if not missed:
        clause = "the mixture describes the data"
        return Verdict("describe", GOOD, QUESTION, "Yes.", reason, clause, values)
    look, name = missed[0]
    what = _what(look, name, found[look][name])
    answer = f"No: {what}; {advice((ends or {}).get(look, ()), crowded)}."
    clause = f"the mixture does not describe the data ({what})"
    return Verdict("describe", BAD, QUESTION, answer, reason, clause, values)


def _what(look: str, name: str, check: Check) -> str:
    if look == DISTANCE:
        return FAR[name].format(at=f"{check.at:.0f}")
    return MISSES[name].format(at=f"{check.at:.4g} along {look}")


def _reason(smallest: Mapping[tuple[str, str], float]) -> str:
    looks = dict.fromkeys(look for look, _ in smallest)
    least = {look: min(p for (own, _), p in smallest.items() if own == look) for look in looks}
    told = ", ".join(f"{look} {min(p, 1.0):.2g}" for look, p in least.items())
    return (
        "Smallest p-value of the Kolmogorov-Smirnov distance, the Anderson-Darling statistic and "
        f"the farthest value, times the number of looks, along each direction and of the "
        f"distances of the points from the mixture: {told}."
    )
