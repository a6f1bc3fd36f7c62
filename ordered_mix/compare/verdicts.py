"""Answers in words to the questions a practitioner has, each with the numbers it rests on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

from ordered_mix.draws import elpd
from ordered_mix.draws.convergence import convergence
from ordered_mix.draws.invariance import invariance
from ordered_mix.draws.wbic import Estimate

if TYPE_CHECKING:
    from ordered_mix.compare.comparison import Comparison, Sampled

RHAT = 1.01
ESS = 400
STUCK = 1.1
CONFIDENCE = 0.95
GAP_MASS = 0.01
SMALL_ELPD = 4  # Sivula, Magnusson, Matamoros & Vehtari 2020, on small differences of elpd


@dataclass(frozen=True)
class Verdict:
    """A question, its answer in a few words, and the reason with the measured numbers."""

    question: str
    answer: str
    reason: str


def verdicts(comparison: Comparison) -> list[Verdict]:
    """The verdicts that apply to a comparison, the most important first."""
    questions: tuple[Callable[[Comparison], Verdict | None], ...] = (
        _trust, _best_parameterization, _switching, _ordering, _last_component,
        _point_estimators, _jacobian, _criteria,
    )  # fmt: skip
    return [verdict for ask in questions if (verdict := ask(comparison)) is not None]


def faults(item: Sampled) -> list[str]:
    """What speaks against trusting one sampled posterior, folded; empty if nothing."""
    rhat, ess = item.worst("rhat", "folded"), item.worst("ess_bulk", "folded")
    found = []
    if not rhat < RHAT:
        found.append(f"folded R-hat {rhat:.3f} (limit {RHAT})")
    if not ess >= ESS:
        found.append(f"folded ESS {ess:.0f} (at least {ESS} wanted)")
    if item.sampler.divergences:
        count = item.sampler.divergences
        found.append("1 divergence" if count == 1 else f"{count} divergences")
    return found


def _trust(comparison: Comparison) -> Verdict:
    question = "Can the fit be trusted?"
    found = {label: faults(item) for label, item in comparison.sampled.items()}
    good = [label for label, problems in found.items() if not problems]
    bad = [f"{label}: {', '.join(problems)}" for label, problems in found.items() if problems]
    limits = f"folded R-hat below {RHAT}, ESS of at least {ESS}, no divergence"
    if not bad:
        return Verdict(question, "Yes.", f"{_names(good)}: {limits}.")
    if not good:
        advice = "sample longer, or fit fewer components"
        return Verdict(question, f"No: {advice}.", "; ".join(bad) + ".")
    stuck = [item for item in comparison.sampled.values() if item.worst("rhat", "folded") > STUCK]
    care = ", with care: chains of the others sit in different modes" if stuck else ""
    return Verdict(
        question,
        f"Yes, from {_names(good)}{care}.",
        f"Met by {_names(good)}: {limits}. Not met: {'; '.join(bad)}.",
    )


def _best_parameterization(comparison: Comparison) -> Verdict | None:
    question = "Which parameterization should sample?"
    usable = {label: item for label, item in comparison.sampled.items() if not faults(item)}
    if len(usable) < 2:
        return None
    efficiency = {label: efficiency_by_chain(item) for label, item in usable.items()}
    ranked = sorted(efficiency, key=lambda label: -np.mean(efficiency[label]))
    best, tied, notes = ranked[0], [ranked[0]], []
    level = 1 - (1 - CONFIDENCE) / (len(ranked) - 1)
    for other in ranked[1:]:
        ratio, low, high = _ratio(efficiency[best], efficiency[other], level)
        notes.append(f"{ratio:.2f} times {other} [{low:.2f}, {high:.2f}]")
        if low <= 1:
            tied.append(other)
    measure = "smallest folded ESS per pass, by chain, simultaneous 95% intervals"
    reason = f"{best} has {'; '.join(notes)} ({measure})."
    if len(tied) == 1:
        return Verdict(question, f"{best}.", reason)
    return Verdict(question, f"A tie between {_names(tied)}: take the one you like.", reason)


def efficiency_by_chain(item: Sampled) -> np.ndarray:
    """Log of the smallest folded ESS per pass of each chain by itself, shape (chain,)."""
    folded, passes = item.draws.mixture.fold(), item.draws.passes
    logs = []
    for chain, spent in enumerate(passes):
        values = {name: getattr(folded, name)[chain : chain + 1] for name in ("w", "mu", "sigma")}
        halves = {name: np.concatenate(np.array_split(value[:, : value.shape[1] // 2 * 2], 2, 1))
                  for name, value in values.items()}  # fmt: skip
        logs.append(np.log(convergence(halves)["ess_bulk"].min() / spent))
    return np.array(logs)


def _ratio(first: np.ndarray, second: np.ndarray, level: float) -> tuple[float, float, float]:
    test = stats.ttest_ind(first, second, equal_var=False)
    low, high = test.confidence_interval(level)
    return tuple(np.exp([first.mean() - second.mean(), low, high]))


def _switching(comparison: Comparison) -> Verdict | None:
    question = "Is raw label switching harmless?"
    free = [item for item in comparison.sampled.values() if item.parameterization.copies > 1]
    if not free:
        return None
    reasons = []
    for item in free:
        raw, folded = item.worst("rhat", "raw"), item.worst("rhat", "folded")
        measured = item.switching
        reasons.append(
            f"{item.label}: raw R-hat {raw:.2f}, folded {folded:.3f}, labels change in "
            f"{measured.switching_rate:.1%} of steps, chains disagree by "
            f"{measured.chain_disagreement:.2f}"
        )
    repaired = [item.label for item in free if item.worst("rhat", "folded") < RHAT]
    broken = [item.label for item in free if item.label not in repaired]
    if not any(item.worst("rhat", "raw") >= RHAT for item in free):
        answer = "There is none to see: raw and folded R-hat are both low."
    elif not repaired:
        answer = "No: the folded draws have not converged either."
    else:
        answer = "Yes, once the draws are folded (sorted by mean)"
        answer += f"; {_names(broken)} did not converge." if broken else "."
    return Verdict(question, answer, "; ".join(reasons) + ".")


def _ordering(comparison: Comparison) -> Verdict | None:
    question = "Does an ordering constraint bite at gap = 0?"
    if comparison.settings.components == 1:
        return None
    sampled = comparison.sampled
    mass = {label: item.switching.gap_mass for label, item in sampled.items()}
    trusted = [label for label, item in sampled.items() if not faults(item)]
    largest = max(mass[label] for label in trusted or mass)
    measured = ", ".join(f"{label} {value:.2%}" for label, value in mass.items())
    reason = f"Share of draws with the smallest gap below 0.1 pooled scales: {measured}."
    ordered = [label for label, item in sampled.items() if item.parameterization.copies == 1]
    divergent = {label: sampled[label].sampler.divergences for label in ordered}
    shown = ", ".join(f"{label} {count}" for label, count in divergent.items() if count)
    reason += f" Divergences: {shown}." if shown else ""
    if largest >= GAP_MASS:
        return Verdict(
            question,
            "Yes: the posterior reaches gap = 0; prefer unordered or folded draws.",
            reason,
        )
    stuck = [label for label in ordered if label not in trusted and mass[label] >= GAP_MASS]
    if stuck:
        answer = f"Yes: chains of {_names(stuck)} are stuck there, away from the posterior."
        return Verdict(question, answer, reason)
    return Verdict(question, "No: the components are apart.", reason)


def _last_component(comparison: Comparison) -> Verdict | None:
    if comparison.fewer is None:
        return None
    k = comparison.settings.components
    question = f"Is component {k} supported?"
    best = max(comparison.sampled.values(), key=lambda item: item.worst("ess_bulk", "folded"))
    gain = elpd.difference(best.elpd_loo, comparison.fewer.elpd_loo)
    reason = (
        f"elpd by PSIS-LOO of K = {k} ({best.label}) less that of K = {k - 1}: {gain.elpd:.1f} "
        f"(paired standard error {gain.se:.1f})."
    )
    unreliable = int(np.sum(np.asarray(best.elpd_loo.pareto_k) > best.elpd_loo.good_k))
    if unreliable:
        reason += f" {unreliable} Pareto k values are too high for LOO to be exact."
    if abs(gain.elpd) < SMALL_ELPD:
        reason += f" Differences below {SMALL_ELPD} are too small to rely on."
        return Verdict(question, "Undecided: the data do not tell.", reason)
    if gain.elpd > 2 * gain.se:
        return Verdict(question, "Yes.", reason)
    if gain.elpd < -2 * gain.se:
        return Verdict(question, "No: it predicts worse.", reason)
    return Verdict(question, "Undecided: the data do not tell.", reason)


def _point_estimators(comparison: Comparison) -> Verdict | None:
    if not comparison.fits:
        return None
    question = "Which point estimator should fit?"
    optima = comparison.optima
    share = float(optima.hit_rate[optima.best_index])
    costs = {label: float(np.median(fit.passes)) for label, fit in comparison.fits.items()}
    failed = [label for label, fit in comparison.fits.items() if not fit.converged.all()]
    reason = (
        f"{share:.0%} of {optima.starts} EM starts reach the best interior maximum, log "
        f"likelihood {optima.log_likelihood:.6f}. Median passes from the shared starts: "
        f"{min(costs.values()):.0f} to {max(costs.values()):.0f}."
    )
    if failed:
        reason += f" Not every run of {_names(failed)} converged."
    cheapest = min(costs, key=lambda label: costs[label])
    starts = "one start is enough" if share > 0.95 else "use many starts"
    return Verdict(question, f"{cheapest} needs the fewest passes; {starts}.", reason)


def _jacobian(comparison: Comparison) -> Verdict | None:
    shifts = {}
    for item in comparison.sampled.values():
        label = f"map {item.parameterization.label}"
        if label in comparison.fits and f"{label}, no Jacobian" in comparison.fits:
            pair = (comparison.fits[label], comparison.fits[f"{label}, no Jacobian"])
            shifts[item.parameterization.label] = _shift(pair, item)
    if not shifts:
        return None
    largest = max(shifts, key=lambda label: shifts[label])
    measured = ", ".join(f"{label} {value:.2f}" for label, value in shifts.items())
    answer = "Yes, by more than a posterior sd." if shifts[largest] > 1 else "Hardly."
    return Verdict(
        "Does the posterior mode depend on the coordinates?",
        answer,
        "Largest distance between the modes with and without the Jacobian, in posterior sds: "
        f"{measured}.",
    )


def _shift(pair: tuple[Any, Any], item: Sampled) -> float:
    modes = [fit.mixture[int(np.argmax(fit.objective))].fold() for fit in pair]
    folded = item.draws.mixture.fold()
    distances = []
    for name in ("w", "mu", "sigma"):
        sd = getattr(folded, name).std(axis=(0, 1))
        moved = np.abs(getattr(modes[0], name) - getattr(modes[1], name))
        distances.append(np.max(moved[sd > 0] / sd[sd > 0], initial=0.0))
    return float(max(distances))


def _criteria(comparison: Comparison) -> Verdict | None:
    good = {label: item for label, item in comparison.sampled.items() if not faults(item)}
    if len(good) < 2:
        return None
    z: Mapping[str, float] = {
        name: float(
            invariance(
                {
                    label: Estimate(float(elpd.elpd), float(elpd.mcse))
                    for label, item in good.items()
                    for elpd in [getattr(item, f"elpd_{name}")]
                }
            )["z"].abs().max()
        )
        for name in ("waic", "loo")
    }  # fmt: skip
    limit = float(stats.norm.isf((1 - CONFIDENCE) / 2 / (2 * len(good))))
    agree = max(z.values()) < limit
    answer = (
        "No, within Monte Carlo error." if agree else "Yes, more than Monte Carlo error explains."
    )
    return Verdict(
        "Do WAIC and LOO depend on the parameterization?",
        answer,
        f"Priors are matched, so they should not: largest |z| {z['waic']:.1f} (WAIC) and "
        f"{z['loo']:.1f} (LOO), limit {limit:.1f}.",
    )


def _names(labels: list[str]) -> str:
    return labels[0] if len(labels) == 1 else f"{', '.join(labels[:-1])} and {labels[-1]}"
