"""What a diagnosis of draws answers: each question with its answer and the numbers it rests on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ordered_mix.compare.verdicts import ESS, RHAT, Verdict

if TYPE_CHECKING:
    from ordered_mix.compare.diagnosis import DrawsDiagnosis

NEARLY = 1.05
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
    if rhat < RHAT and ess >= ESS:
        return Verdict(CONVERGED, "Yes.", reason)
    if rhat < RHAT:
        return Verdict(CONVERGED, f"R-hat is fine, but fewer than {ESS} effective draws.", reason)
    return Verdict(CONVERGED, "No: sample longer, or look for more than label switching.", reason)


def _labels(found: DrawsDiagnosis) -> Verdict | None:
    if found.k == 1:
        return None
    relabelled, effect = found.worst("rhat", "relabelled"), found.relabelled.effect
    reason = _what_relabelling_did(found)
    if not effect.meaningful and not effect.within_chains:
        answer = "Labels mean nothing here: report what does not depend on them."
    elif found.method == "none":
        answer = "No relabelling was found that helps: report them as they are."
    elif found.switching.modes_visited == 1:
        answer = "No: report them as they are."
    elif relabelled < RHAT:
        answer = "Yes: report the relabelled copy."
    elif relabelled < NEARLY:
        answer = "Yes: relabel, and sample longer."
    else:
        answer = "Yes, and no relabelling repairs these chains."
    return Verdict(SWITCH, answer, reason)


def _what_relabelling_did(found: DrawsDiagnosis) -> str:
    effect, measured = found.relabelled.effect, found.switching.interpretation()
    raw, after = found.worst("rhat", "raw"), found.worst("rhat", "relabelled")
    unsure = float(np.mean(effect.margin < UNSURE))
    parts = [
        f"Relabelling ({found.method}) changed the labels of {effect.changed:.1%} of the draws; "
        f"largest R-hat raw {raw:.2f}, relabelled {after:.3f}; smallest ESS relabelled "
        f"{found.worst('ess_bulk', 'relabelled'):.0f}.",
        f"The two closest labels are {effect.separation:.1f} standard deviations apart, by "
        f"{effect.by}, and {effect.within[1]:.1f} within chains; in {unsure:.1%} "
        f"of the draws an exchange of two would cost less than {UNSURE:g} nat.",
        f"Largest bimodality raw {found.worst('bimodality', 'raw'):.2f}, relabelled "
        f"{found.worst('bimodality', 'relabelled'):.2f} (0.64 is normal, above 0.8 two modes).",
    ]
    if effect.nearly_empty:
        parts.append(
            f"{effect.nearly_empty} of {found.k} components hold less than 1% of the weight each: "
            "their labels are not judged."
        )
    if effect.meaningful:
        parts += [measured["switching_rate"], measured["chain_disagreement"]]
    return " ".join(parts)


def _permuted(found: DrawsDiagnosis) -> Verdict:
    tree = found.relabelled
    moved = ", ".join(tree.permuted) or "none; the labels are as sampled"
    left = f"Left alone: {', '.join(tree.left_alone)}." if tree.left_alone else "None was left."
    return Verdict(WHAT, f"{moved}.", " ".join([left, *tree.notes]))


def _model(found: DrawsDiagnosis) -> Verdict | None:
    check = found.relabelled.check
    if check is None:
        return None
    if not check.good:
        return Verdict(MODEL, "No: it is not used.", check.sentence)
    answer = "Yes." if check.stored else "It seems so, but nothing is stored to compare it with."
    return Verdict(MODEL, answer, check.sentence)


def _boundary(found: DrawsDiagnosis) -> Verdict | None:
    mass = found.switching.gap_mass
    if found.k == 1 or np.isnan(mass):
        return None
    effect = found.relabelled.effect
    answer = "No."
    if mass > OVERLAP:
        answer = "Yes: means overlap, and labels mean little there."
        if effect.meaningful and effect.by != "mu":
            answer = f"No: means overlap, but {effect.by} tells components apart."
    return Verdict(
        BOUNDARY, answer, f"{mass:.1%} of the draws have a smallest gap below 0.1 pooled scales."
    )


def _sampler(found: DrawsDiagnosis) -> Verdict | None:
    if found.arviz is None:
        return None
    answer = "It has complaints." if found.arviz.has_errors else "It finds nothing to complain of."
    reason = "; ".join(found.arviz.complaints) or "Every check of its own passed"
    return Verdict(ARVIZ, answer, f"{reason}.")


def _criteria(found: DrawsDiagnosis) -> Verdict | None:
    waic, loo = found.elpd_waic, found.elpd_loo
    if waic is None or loo is None:
        if found.y is None:
            return None
        reason = "Store the pointwise log likelihood of the model with its draws."
        return Verdict(CRITERIA, "Not here: no log likelihood is known.", reason)
    stored = found.relabelled.known.stored is not None
    worst = float(np.max(loo.pareto_k))
    source = "stored with the draws" if stored else "computed for normal components"
    reason = (
        f"elpd_waic {waic.elpd:.2f} (se {waic.se:.2f}, p {waic.p:.2f}, points above "
        f"0.4: {waic.n_high_p}); elpd_loo {loo.elpd:.2f} (se {loo.se:.2f}), largest Pareto k "
        f"{worst:.2f}; from the log likelihood {source}."
    )
    good = worst <= loo.good_k
    answer = "Yes, they do not depend on labels." if good else "Not LOO: a Pareto k is too high."
    return Verdict(CRITERIA, answer, reason)
