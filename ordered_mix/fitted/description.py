"""Does the mixture describe the data?"""

from __future__ import annotations

from ordered_mix.draws.checks import Checks
from ordered_mix.fitted.verdict import BAD, GOOD, Verdict

IMPROBABLE = 0.005
MISSES = {
    "extreme": "the value {at:.6g} lies where the mixture has next to nothing",
    "ks": "the bulk of the data is shaped otherwise, most of all near {at:.4g}",
    "tails": "the tails of the data are others, most of all near {at:.4g}",
    "loo_pit": "points left out are predicted with the wrong spread, most of all near {at:.4g}",
}


def does_the_mixture_describe_the_data(found: Checks) -> Verdict:
    """The verdict from the discrepancies: any posterior predictive p-value below 0.005 is a No."""
    missed = [name for name, check in found.named().items() if check.p < IMPROBABLE]
    values = {
        f"{name}_{field}": getattr(check, field)
        for name, check in found.named().items()
        for field in ("distance", "p", "at")
    } | {"missed": missed}
    reason = (
        f"Kolmogorov-Smirnov distance {found.ks.distance:.3f} (posterior predictive p "
        f"{found.ks.p:.2g}), Anderson-Darling {found.tails.distance:.2f} (p {found.tails.p:.2g}), "
        f"farthest value {found.extreme.at:.6g} (p {found.extreme.p:.2g}), leave-one-out "
        f"transforms {found.loo_pit.distance:.3f} from uniform (p {found.loo_pit.p:.2g})."
    )
    question = "Does the mixture describe the data?"
    if not missed:
        clause = "the mixture describes the data"
        return Verdict("describe", GOOD, question, "Yes.", reason, clause, values)
    worst = next(name for name in MISSES if name in missed)
    what = MISSES[worst].format(at=getattr(found, worst).at)
    answer = f"No: {what}; try more components, or bounds if the data are cut off."
    return Verdict(
        "describe", BAD, question, answer, reason, f"it does not describe the data ({what})", values
    )
