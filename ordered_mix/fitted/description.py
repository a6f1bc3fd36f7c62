"""Does the mixture describe the data?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ordered_mix.draws.checks import Checks
from ordered_mix.fitted.refits import Refits
from ordered_mix.fitted.verdict import BAD, GOOD, Verdict

IMPROBABLE = 0.005
QUESTION = "Does the mixture describe the data?"
MISSES = {
    "extreme": "the value {at} lies where the mixture has next to nothing",
    "ks": "the bulk of the data is shaped otherwise, most of all near {at}",
    "tails": "the tails of the data are others, most of all near {at}",
    "loo_pit": "points left out are predicted with the wrong spread, most of all near {at}",
}


def does_the_mixture_describe_the_data(
    found: Checks, refitted: Refits | None, ends: Sequence[float] = (), crowded: bool = False
) -> Verdict:
    """The verdict from the discrepancies: a p-value below 0.005 is a No.

    Parameters
    ----------
    found : Checks
        With posterior predictive p-values.
    refitted : Refits or None
        Bootstrap p-values of the maximum, None if there is none.
    ends : sequence of float
        Where the data seem to be cut off.
    crowded : bool
        Whether components coincide already, so that more of them are no advice.
    """
    bootstrap = {} if refitted is None else refitted._asdict()
    smallest = {
        name: float(np.fmin(check.p, bootstrap.get(name, np.nan)))
        for name, check in found.named().items()
    }
    missed = [name for name in MISSES if smallest[name] < IMPROBABLE]
    values: dict[str, object] = {
        f"{name}_{field}": getattr(check, field)
        for name, check in found.named().items()
        for field in ("distance", "p", "at")
    }
    values |= {f"{name}_refitted_p": p for name, p in bootstrap.items()} | {"missed": missed}
    reason = _reason(found, bootstrap)
    if not missed:
        clause = "the mixture describes the data"
        return Verdict("describe", GOOD, QUESTION, "Yes.", reason, clause, values)
    what = MISSES[missed[0]].format(at=_number(getattr(found, missed[0]).at, found))
    answer = f"No: {what}; {advice(ends, crowded)}."
    clause = f"the mixture does not describe the data ({what})"
    return Verdict("describe", BAD, QUESTION, answer, reason, clause, values)


def _number(value: float, found: Checks) -> str:
    """With four digits, and more where the data differ by little."""
    spread = float(np.ptp(found.pit_y)) or 1.0
    further = np.log10(max(abs(value) / spread, 1.0))
    return f"{value:.{4 + int(further)}g}"


def advice(ends: Sequence[float], crowded: bool) -> str:
    """What to do about data that the mixture does not describe."""
    if ends:
        at = " and ".join(f"{end:.6g}" for end in ends)
        return f"the data seem to be cut off at {at}, where no normal component ends"
    if crowded:
        return "more components would coincide: their shape is not that of normals"
    return "try more components"


def _reason(found: Checks, bootstrap: dict[str, float]) -> str:
    refitted = {
        name: f", refitted {p:.2g}" if np.isfinite(p) else "" for name, p in bootstrap.items()
    }
    return (
        f"Kolmogorov-Smirnov distance {found.ks.distance:.3f} (posterior predictive p "
        f"{found.ks.p:.2g}{refitted.get('ks', '')}), Anderson-Darling {found.tails.distance:.2f} "
        f"(p {found.tails.p:.2g}{refitted.get('tails', '')}), farthest value "
        f"{_number(found.extreme.at, found)} (p {found.extreme.p:.2g}), leave-one-out transforms "
        f"{found.loo_pit.distance:.3f} from uniform (p {found.loo_pit.p:.2g})."
    )
