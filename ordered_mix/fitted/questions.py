"""The questions that a fit must answer before it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ordered_mix.fitted.maximum import Maximum, criteria_of
from ordered_mix.fitted.particular import edges
from ordered_mix.fitted.prior_question import does_the_prior_decide
from ordered_mix.fitted.verdict import BAD, GOOD, UNDECIDED, Verdict, listed

if TYPE_CHECKING:
    import pandas as pd

    from ordered_mix.fitted.fitted import Fitted
    from ordered_mix.fitted.points import FittedPoints
    from ordered_mix.fitted.streamed import FittedStream

BARE_MENTION = 2
CRITERIA = {"bic": "BIC", "icl": "ICL", "sbic": "sBIC"}


def questions(fitted: Fitted) -> list[Verdict]:
    """Those that can be asked of what was computed."""
    found = []
    if fitted.agreement is not None:
        # ArviZ and scipy.stats take a second to import, which EM alone does not need
        from ordered_mix.fitted.agreement import did_the_chains_agree

        found.append(did_the_chains_agree(fitted.agreement, fitted.components, fitted.chains))
        found.append(description_question(fitted))
    if fitted.mode is not None:
        found.append(prior_question(fitted))
    if fitted.one_less is not None and fitted.one_less.mixture is not None:
        found.append(is_the_last_supported(fitted, fitted.one_less))
    if len(fitted.criteria) > 1:
        found.append(how_many_components(fitted))
    return found


def description_question(fitted: Fitted) -> Verdict:
    """Whether the mixture describes the data, from the draws, with advice that follows."""
    from ordered_mix.fitted.agreement import FEWER, remedy
    from ordered_mix.fitted.description import does_the_mixture_describe_the_data

    assert fitted.checks is not None and fitted.agreement is not None
    crowded = remedy(fitted.agreement, fitted.components) == FEWER
    crowded = crowded and fitted.agreement.status == BAD
    return does_the_mixture_describe_the_data(
        fitted.checks, fitted.refits, edges(fitted.data), crowded
    )


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


def is_the_last_supported(fitted: Fitted, one_less: Maximum) -> Verdict:
    """Whether BIC is smaller with this number of components than with one less.

    Where the likelihood has no maximum, its value at the posterior mode stands for it. Differences
    below 2 are "not worth more than a bare mention" (Kass & Raftery 1995, section 3.2).
    """
    k, none = fitted.components, fitted.maximum.mixture is None
    gain = criteria_of(fitted.data, one_less, k - 1)["bic"] - fitted.bic
    less = f"{k - 1} component{'s' if k > 2 else ''}"
    if abs(gain) < BARE_MENTION:
        status, answer = UNDECIDED, "Undecided: the data do not tell."
        clause = f"the data do not tell whether component {k} is needed"
    elif gain > 0:
        status, answer = GOOD, "Yes."
        clause = f"component {k} is supported by the data"
    else:
        status, answer = BAD, f"No: {less} will do."
        clause = f"component {k} is not supported by the data"
    reason = f"BIC of {less} less that of {k}: {gain:.1f} (a positive one speaks for {k})."
    if none:
        reason += " The likelihood is that of the posterior mode, as it has no maximum."
    return Verdict("component", status, f"Is component {k} supported?", answer, reason, clause,
                   {"bic_difference": gain})  # fmt: skip


def chosen_components(table: pd.DataFrame) -> int:
    """The number of components of smallest BIC, or of largest evidence where BIC cannot count.

    The fewest if EM has no maximum for any and the evidence is not known.
    """
    column = table["components"]
    if in_the_way(table) and known(table):
        return int(column[table["probability"].idxmax()])
    return int(column[table["bic"].idxmin() if table["bic"].notna().any() else 0])


def in_the_way(table: pd.DataFrame) -> str:
    """The values onto which EM shrinks a component for some K, so that BIC cannot count them."""
    return next((str(values) for values in table["in_the_way"] if values), "")


def known(table: pd.DataFrame) -> bool:
    """Whether the evidence of every number of components is known."""
    return "probability" in table and bool(table["probability"].notna().all())


def warnings_of_evidence(table: pd.DataFrame) -> str:
    """What to beware of in the evidence of the rows, in one sentence; empty if nothing."""
    if "evidence_warning" not in table:
        return ""
    rows = table[table["evidence_warning"] != ""]
    pairs = zip(rows["components"], rows["evidence_warning"], strict=True)
    found = "; ".join(f"K = {k}, {warning}" for k, warning in pairs)
    return f" Beware of the evidence: {found}." if found else ""


def how_many_components(fitted: Fitted | FittedStream | FittedPoints) -> Verdict:
    """Which number of components each criterion prefers."""
    table, k = fitted.criteria.set_index("components"), fitted.components
    best = {
        CRITERIA[name]: int(table[name].idxmin()) for name in CRITERIA if table[name].notna().any()
    }
    if "elpd_loo" in table and table["elpd_loo"].notna().sum() > 1:
        best["LOO"] = int(table["elpd_loo"].idxmax())
    reason = ""
    if known(table):
        best["evidence"] = int(table["probability"].idxmax())
        reason = (
            f" The evidence gives K = {best['evidence']} a probability of "
            f"{table['probability'].max():.2f} among K = {table.index[0]} to {table.index[-1]}."
        )
    warned = warnings_of_evidence(fitted.criteria)
    agree = len(set(best.values())) == 1
    values = {"best": best, "chosen": k}
    told = ", ".join(f"{name} {value}" for name, value in best.items())
    reason = f"Preferred number of components: {told}.{reason}{warned}"
    question, obstructed = "How many components?", in_the_way(table)
    if not obstructed:
        answer = f"{k}, by BIC{'' if agree else '; the criteria differ'}."
        clause, status = (
            f"K = {k} has the smallest BIC",
            GOOD if agree and not warned else UNDECIDED,
        )
        return Verdict("components", status, question, answer, reason, clause, values)
    where = listed([str(at) for at, note in table["in_the_way"].items() if note])
    reason += f" With K = {where} EM shrinks components onto {obstructed}, and BIC does not count."
    if known(table):
        return Verdict("components", UNDECIDED, question, f"{k}, by the evidence.", reason,
                       f"K = {k} has the largest evidence", values)  # fmt: skip
    answer = f"BIC cannot tell: EM shrinks components onto {obstructed}."
    clause = f"how many components cannot be told by EM, which shrinks some onto {obstructed}"
    return Verdict("components", BAD, question, answer, reason, clause, values)
