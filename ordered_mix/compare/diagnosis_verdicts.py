"""What a diagnosis of draws answers: each question with its answer and the numbers it rests on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ordered_mix.draws.relabel.effect import in_words
from ordered_mix.fitted.agreement import ESS, RHAT
from ordered_mix.fitted.verdict import BAD, GOOD, NEARLY, UNDECIDED, Verdict

if TYPE_CHECKING:
    from ordered_mix.compare.diagnosis import DrawsDiagnosis

NEARLY_CONVERGED = 1.05
UNSURE = 1.0
OVERLAP = 0.01
CONVERGED = "Have the chains converged, labels aside?"
SWITCH = "Do the labels switch, and which draws should be reported?"
WHAT = "Which variables were permuted?"
MODEL = "Is the likelihood that of the draws?"
BOUNDARY = "Do components overlap at gap = 0?"
ARVIZ = "What does ArviZ say of the relabelled draws?"
CRITERIA = "Can WAIC and LOO be used?"


def verdicts(found: DrawsDiagnosis) -> list[Verdict]:
    """The verdicts that apply."""
    made = [
        _converged(found), _labels(found), _permuted(found), _model(found), _boundary(found),
        _sampler(found), _criteria(found),
    ]  # fmt: skip
    return [verdict for verdict in made if verdict is not None]


def _converged(found: DrawsDiagnosis) -> Verdict:
    kinds = ["label-invariant"]
    if found.relabelled.meaningful or found.relabelled.effect.within_chains:
        kinds.append("relabelled")
    rhat = float(np.nanmax([found.worst("rhat", kind) for kind in kinds]))
    ess = float(np.nanmin([found.worst("ess_bulk", kind) for kind in kinds]))
    what = " and ".join(kinds)
    reason = f"Of {what} quantities: largest R-hat {rhat:.3f}, smallest bulk ESS {ess:.0f}."
    if found.shape[0] == 1:
        reason += " One chain: its halves are compared, which cannot see what it has not visited."
    values = {"rhat": rhat, "ess_bulk": ess}
    if rhat < RHAT and ess >= ESS:
        clause = "the chains have converged"
        return Verdict("converged", GOOD, CONVERGED, "Yes.", reason, clause, values)
    if rhat < RHAT:
        few = f"fewer than {ESS} effective draws"
        answer, clause = f"R-hat is fine, but {few}.", f"the chains agree, but hold {few}"
        return Verdict("converged", NEARLY, CONVERGED, answer, reason, clause, values)
    answer = "No: sample longer, or look for more than label switching."
    clause = "the chains have not converged yet"
    return Verdict("converged", BAD, CONVERGED, answer, reason, clause, values)


def _labels(found: DrawsDiagnosis) -> Verdict | None:
    if found.k == 1:
        return None
    effect = found.relabelled.effect
    status, answer, clause = _which_draws(found)
    values = {
        "rhat_raw": found.worst("rhat", "raw"),
        "rhat_relabelled": found.worst("rhat", "relabelled"),
        "modes_visited": found.switching.modes_visited, "method": found.method,
        "changed": effect.changed, "separation": effect.separation, "by": effect.by,
    }  # fmt: skip
    return Verdict("labels", status, SWITCH, answer, _what_relabelling_did(found), clause, values)


def _which_draws(found: DrawsDiagnosis) -> tuple[str, str, str]:
    """Status, answer and clause of the question which draws to report."""
    relabelled, effect = found.worst("rhat", "relabelled"), found.relabelled.effect
    if not effect.meaningful and not effect.within_chains:
        nothing = "labels mean nothing here"
        return BAD, f"L{nothing[1:]}: report what does not depend on them.", nothing
    if found.method == "none":
        return (NEARLY, "No relabelling was found that helps: report them as they are.",
                "no relabelling helps")  # fmt: skip
    one_labelling = found.switching.modes_visited == 1
    if one_labelling and relabelled > NEARLY_CONVERGED and found.shape[0] > 1:
        apart = "labels are not what keeps the chains apart"
        return BAD, f"No: {apart}.", apart
    if one_labelling:
        return GOOD, "No: report them as they are.", "labels do not switch"
    if relabelled < RHAT:
        what = "report the relabelled copy"
        return GOOD, f"Yes: {what}.", f"labels switch: {what}"
    if relabelled < NEARLY_CONVERGED:
        what = "relabel, and sample longer"
        return NEARLY, f"Yes: {what}.", f"labels switch: {what}"
    what = "no relabelling repairs these chains"
    return BAD, f"Yes, and {what}.", f"labels switch, and {what}"


def _what_relabelling_did(found: DrawsDiagnosis) -> str:
    effect, measured = found.relabelled.effect, found.switching.interpretation()
    raw, after = found.worst("rhat", "raw"), found.worst("rhat", "relabelled")
    unsure = float(np.mean(effect.margin < UNSURE))
    parts = [
        f"Relabelling ({found.method}) changed the labels of {effect.changed:.1%} of the draws; "
        f"largest R-hat raw {raw:.2f}, relabelled {after:.3f}; smallest ESS relabelled "
        f"{found.worst('ess_bulk', 'relabelled'):.0f}.",
        f"The two closest labels are {in_words(effect.separation)} standard deviations apart, by "
        f"{effect.by}, and {in_words(effect.within[1])} within chains; in {unsure:.1%} "
        f"of the draws an exchange of two would cost less than {UNSURE:g} nat.",
        f"Largest bimodality raw {found.worst('bimodality', 'raw'):.2f}, relabelled "
        f"{found.worst('bimodality', 'relabelled'):.2f} (0.64 is normal, above 0.8 two modes).",
    ]
    if effect.nearly_empty:
        few = "label is" if effect.nearly_empty == 1 else "labels are"
        parts.append(
            f"{effect.nearly_empty} {few} not judged, with less than 1% of the weight on average."
        )
    if effect.meaningful:
        parts += [measured["switching_rate"], measured["chain_disagreement"]]
    return " ".join(parts)


def _permuted(found: DrawsDiagnosis) -> Verdict:
    tree = found.relabelled
    moved = ", ".join(tree.permuted) or "none; the labels are as sampled"
    left = f"Left alone: {', '.join(tree.left_alone)}." if tree.left_alone else "None was left."
    said = "" if tree.check is None else tree.check.sentence
    notes = [note for note in tree.notes if not (said and note.startswith(said))]
    reason = " ".join([left, *notes])
    values = {"permuted": tree.permuted, "left_alone": tree.left_alone}
    return Verdict("permuted", GOOD, WHAT, f"{moved}.", reason, "", values)


def _model(found: DrawsDiagnosis) -> Verdict | None:
    check = found.relabelled.check
    if check is None:
        return None
    values = {"stored": check.stored, "value": check.value}
    if not check.good and not check.stored and np.isnan(check.value):
        answer = "Not known, so none is used."
        return Verdict("likelihood", UNDECIDED, MODEL, answer, check.sentence, "", values)
    if not check.good:
        clause = "the likelihood of normal components is not that of the draws"
        answer = "No: it is not used."
        return Verdict("likelihood", BAD, MODEL, answer, check.sentence, clause, values)
    if check.stored:
        return Verdict("likelihood", GOOD, MODEL, "Yes.", check.sentence, "", values)
    answer = "It seems so, but nothing is stored to compare it with."
    return Verdict("likelihood", NEARLY, MODEL, answer, check.sentence, "", values)


def _boundary(found: DrawsDiagnosis) -> Verdict | None:
    mass = found.switching.gap_mass
    if found.k == 1 or np.isnan(mass):
        return None
    effect = found.relabelled.effect
    status, answer, clause = GOOD, "No.", ""
    means = found.relabelled.known.means
    if mass > OVERLAP and effect.meaningful and effect.by != means:
        answer = f"No: means overlap, but {effect.by} tells components apart."
        clause = f"{effect.by} tells components apart"
    elif mass > OVERLAP:
        status, answer = NEARLY, "Yes: means overlap, and labels mean little there."
        clause = "components overlap at gap = 0"
    reason = f"{mass:.1%} of the draws have a smallest gap below 0.1 pooled scales."
    return Verdict("boundary", status, BOUNDARY, answer, reason, clause, {"gap_mass": mass})


def _sampler(found: DrawsDiagnosis) -> Verdict | None:
    if found.arviz is None:
        return None
    bad = found.arviz.has_errors
    answer = "It has complaints." if bad else "It finds nothing to complain of."
    reason = f"{'; '.join(found.arviz.complaints) or 'Every check of its own passed'}."
    if found.not_finite:
        reason += f" Left out, with values that are not finite: {', '.join(found.not_finite)}."
    values = {"complaints": found.arviz.complaints}
    return Verdict("arviz", BAD if bad else GOOD, ARVIZ, answer, reason, "", values)


def _criteria(found: DrawsDiagnosis) -> Verdict | None:
    waic, loo = found.elpd_waic, found.elpd_loo
    if waic is None or loo is None:
        if found.y is None:
            return None
        reason = (
            "Store the pointwise log likelihood of the model with its draws "
            "(pm.compute_log_likelihood(draws) in PyMC, log_lik in Stan)."
        )
        answer, clause = "Not here: no log likelihood is known.", "no log likelihood is known"
        return Verdict("criteria", UNDECIDED, CRITERIA, answer, reason, clause)
    stored = found.relabelled.known.stored is not None
    worst = loo.largest_pareto_k
    source = "stored with the draws" if stored else "computed for normal components"
    reason = (
        f"elpd_waic {waic.elpd:.2f} (se {waic.se:.2f}, p {waic.p:.2f}, points above "
        f"0.4: {waic.n_high_p}); elpd_loo {loo.elpd:.2f} (se {loo.se:.2f}), largest Pareto k "
        f"{worst:.2f}; from the log likelihood {source}."
    )
    values = {"largest_pareto_k": worst, "stored": stored}
    if worst <= loo.good_k:
        answer = "Yes, they do not depend on labels."
        return Verdict("criteria", GOOD, CRITERIA, answer, reason, "", values)
    clause = "LOO cannot be used: a Pareto k is too high"
    return Verdict("criteria", UNDECIDED, CRITERIA, "Not LOO: a Pareto k is too high.", reason,
                   clause, values)  # fmt: skip
