"""The questions that a fit must answer before it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ordered_mix.fitted.particular import edges
from ordered_mix.fitted.prior_question import does_the_prior_decide
from ordered_mix.fitted.verdict import BAD, GOOD, UNDECIDED, Verdict

if TYPE_CHECKING:
    import pandas as pd

    from ordered_mix.fitted.fitted import Fitted
    from ordered_mix.fitted.maximum import Maximum

CRITERIA = {"bic": "BIC", "icl": "ICL", "sbic": "sBIC"}


def questions(fitted: Fitted) -> list[Verdict]:
    """Those that can be asked of what was computed."""
    found = []
    if fitted.agreement is not None:
        # ArviZ and scipy.stats take a second to import, which EM alone does not need
        from ordered_mix.fitted.agreement import FEWER, did_the_chains_agree, remedy
        from ordered_mix.fitted.description import does_the_mixture_describe_the_data

        assert fitted.checks is not None
        found.append(did_the_chains_agree(fitted.agreement, fitted.components, fitted.chains))
        crowded = remedy(fitted.agreement, fitted.components) == FEWER
        crowded = crowded and fitted.agreement.status == BAD
        ends = edges(fitted.data)
        found.append(
            does_the_mixture_describe_the_data(fitted.checks, fitted.refits, ends, crowded)
        )
    if fitted.mode is not None:
        found.append(prior_question(fitted))
    if len(fitted.criteria) > 1:
        found.append(how_many_components(fitted))
    return found


def prior_question(fitted: Fitted) -> Verdict:
    """Whether the prior decides, from the mode and the draws."""
    nats, none = fitted.nats_below_maximum, no_maximum(fitted.maximum)
    assert fitted.prior is not None
    free = fitted.prior.free_parameters(fitted.components) / 2
    return does_the_prior_decide(nats, free, fitted.prior_sensitivity, none, fitted.lone)


def no_maximum(found: Maximum) -> str:
    """Why EM has no maximum to find, with the values that are in the way."""
    if found.collapsed:
        onto = found.note or "one value"
        return f"{found.collapsed} of {found.starts} starts of EM shrink a component onto {onto}"
    at = f", at {found.note}" if found.note else ""
    return f"EM ends in a component that is narrower than the spacing of the data{at}"


def warnings_of_evidence(table: pd.DataFrame) -> str:
    """What to beware of in the evidence of the rows, in one sentence; empty if nothing."""
    if "evidence_warning" not in table:
        return ""
    rows = table[table["evidence_warning"] != ""]
    pairs = zip(rows["components"], rows["evidence_warning"], strict=True)
    found = "; ".join(f"K = {k}, {warning}" for k, warning in pairs)
    return f" Beware of the evidence: {found}." if found else ""


def how_many_components(fitted: Fitted) -> Verdict:
    """Which number of components each criterion prefers."""
    table = fitted.criteria.set_index("components")
    best = {
        CRITERIA[name]: int(table[name].idxmin()) for name in CRITERIA if table[name].notna().any()
    }
    if "elpd_loo" in table and table["elpd_loo"].notna().sum() > 1:
        best["LOO"] = int(table["elpd_loo"].idxmax())
    reason = ""
    if "probability" in table and table["probability"].notna().all():
        best["evidence"] = int(table["probability"].idxmax())
        reason = (
            f" The evidence gives K = {best['evidence']} a probability of "
            f"{table['probability'].max():.2f} among K = {table.index[0]} to {table.index[-1]}."
        )
    warned = warnings_of_evidence(fitted.criteria)
    agree = len(set(best.values())) == 1
    listed = ", ".join(f"{name} {value}" for name, value in best.items())
    return Verdict(
        "components",
        GOOD if agree and not warned else UNDECIDED,
        "How many components?",
        f"{fitted.components}, by BIC{'' if agree else '; the criteria differ'}.",
        f"Preferred number of components: {listed}.{reason}{warned}",
        f"K = {fitted.components} has the smallest BIC",
        {"best": best, "chosen": fitted.components},
    )
