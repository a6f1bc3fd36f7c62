"""Answers to the questions a practitioner and a researcher have, as data with their numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from arviz_stats import ess
from scipy import stats

from ordered_mix.arrays import varying_quantities
from ordered_mix.compare.several import how_many
from ordered_mix.draws import elpd
from ordered_mix.draws.invariance import invariance
from ordered_mix.draws.wbic import Estimate
from ordered_mix.fitted.agreement import GAP_MASS, RHAT, did_the_chains_agree
from ordered_mix.fitted.questions import description_question, no_maximum, prior_question
from ordered_mix.fitted.verdict import BAD, GOOD, NEARLY, UNDECIDED, Verdict, listed

if TYPE_CHECKING:
    from ordered_mix.compare.compared import Compared
    from ordered_mix.compare.comparison import Comparison
    from ordered_mix.fitted.posterior import Sampled

CONFIDENCE = 0.95
LEAST_WEIGHT = 0.01
SMALL_ELPD = 4  # Sivula, Magnusson, Matamoros & Vehtari 2020, on small differences of elpd


Question = Callable[[Any], Verdict | None]


def verdicts(comparison: Comparison) -> list[Verdict]:
    """The verdicts that apply to a comparison, the most important first."""
    return answered(
        comparison, agree, modes, _describe, _prior, numbers, last_component, point_estimators,
        best_parameterization, switching, ordering, jacobian, criteria,
    )  # fmt: skip


def answered(comparison: Compared, *questions: Question) -> list[Verdict]:
    """The answers to the questions that apply."""
    return [verdict for ask in questions if (verdict := ask(comparison)) is not None]


def usable(comparison: Compared) -> dict[str, Sampled]:
    """Samplers whose chains agree."""
    return {
        label: item for label, item in comparison.sampled.items() if item.agreement.status == GOOD
    }


def agree(comparison: Compared) -> Verdict:
    k = comparison.settings.components
    each = {
        label: did_the_chains_agree(item.agreement, k) for label, item in comparison.sampled.items()
    }
    if comparison.crossed:
        return _of_particles(comparison, each)
    best = each[comparison.best.label]
    others = [label for label, one in each.items() if one.status == BAD and one is not best]
    answer, clause = best.answer, best.clause
    if len(each) > 1 and best.status != BAD:
        nearly = [label for label, one in each.items() if one.status == NEARLY and one is not best]
        answer = f"{best.answer.rstrip('.')}, in {comparison.best.label}"
        answer += f"; nearly in {listed(nearly)}" if nearly else ""
        answer += f"; not in {listed(others)}." if others else "."
    reason = " ".join(f"{label}: {one.reason}" for label, one in each.items())
    values = {label: {"status": one.status, **one.values} for label, one in each.items()}
    return Verdict("agree", best.status, best.question, answer, reason, clause, values)


def _of_particles(comparison: Compared, each: Mapping[str, Verdict]) -> Verdict:
    """That chains disagree, and whether the runs of particles that took over agree."""
    k, worst = comparison.settings.components, comparison.worst
    found = did_the_chains_agree(comparison.best.agreement, k, worst.agreement)
    reasons = [found.reason, *(f"{label}: {one.reason}" for label, one in each.items())]
    values = {label: {"status": one.status, **one.values} for label, one in each.items()}
    values[comparison.best.label] = {"status": found.status, **found.values}
    return Verdict(
        "agree", found.status, found.question, found.answer, " ".join(reasons), found.clause, values
    )


def modes(comparison: Compared) -> Verdict | None:
    """In which modes the chains sat, with their weights."""
    if not comparison.crossed:
        return None
    found = comparison.modes
    labels = [(item.label, chain + 1) for item in comparison.sampled.values()
              for chain in range(item.draws.mixture.batch_shape[0])]  # fmt: skip
    told = [
        f"{mode.weight:.1%} (standard error {mode.error:.1%}) of the posterior, means "
        f"{', '.join(_mean_in_words(mean) for mean in mode.means)}: "
        f"{_chains_in_words([labels[chain] for chain in mode.chains])}"
        for mode in found
    ]
    rest = 1 - sum(mode.weight for mode in found)
    reason = f"Weights are those of the particles. {'. '.join(told)}."
    if rest > LEAST_WEIGHT:
        reason += f" {rest:.1%} of the posterior is in modes that no chain visited."
    weights = ", ".join(f"{mode.weight:.0%}" for mode in found)
    one = len(found) == 1
    answer = f"{len(found)} mode{'' if one else 's'}, of weight {weights}."
    values = {"weights": [mode.weight for mode in found], "elsewhere": rest,
              "errors": [mode.error for mode in found],
              "chains": [list(mode.chains) for mode in found]}  # fmt: skip
    status = NEARLY if rest > LEAST_WEIGHT else GOOD
    return Verdict(
        "modes", status, "Which modes did the chains sit in?", answer, reason, "", values
    )


def _mean_in_words(mean: np.ndarray) -> str:
    """A number with four digits, or the coordinates of a point in brackets."""
    told = [f"{float(f'{value:.4g}'):g}" for value in np.ravel(mean)]
    return told[0] if np.ndim(mean) == 0 else f"({', '.join(told)})"


def _chains_in_words(chains: Sequence[tuple[str, int]]) -> str:
    """Samplers with the numbers of their chains: *nuts ordered (chains 1 and 3)*."""
    numbers: dict[str, list[str]] = {}
    for label, chain in chains:
        numbers.setdefault(label, []).append(str(chain))
    return ", ".join(
        f"{label} (chain{'s' if len(own) > 1 else ''} {listed(own)})"
        for label, own in numbers.items()
    )


def _describe(comparison: Comparison) -> Verdict | None:
    return None if comparison.fitted.checks is None else description_question(comparison.fitted)


def _prior(comparison: Comparison) -> Verdict:
    return prior_question(comparison.fitted)


def numbers(comparison: Compared) -> Verdict | None:
    return None if comparison.several is None else how_many(comparison.several)


def last_component(comparison: Compared) -> Verdict | None:
    if comparison.fewer_components is None:
        return None
    k, best, smaller = comparison.settings.components, comparison.best, comparison.fewer_components
    question = f"Is component {k} supported?"
    for item, where in ((best, f" with K = {k}"), (smaller, "")):
        if item.agreement.status == BAD:
            reason = f"The chains of {item.label}{where} disagree."
            answer = "No answer: the chains disagree."
            return Verdict("component", UNDECIDED, question, answer, reason)
    gain = elpd.difference(best.elpd_loo, smaller.elpd_loo)
    values = {"elpd_difference": gain.elpd, "se": gain.se, "label": best.label}
    reason = (
        f"elpd by PSIS-LOO of K = {k} ({best.label}) less that of K = {k - 1}: {gain.elpd:.1f} "
        f"(paired standard error {gain.se:.1f})."
    )
    unreliable = int(np.sum(np.asarray(best.elpd_loo.pareto_k) > best.elpd_loo.good_k))
    if unreliable:
        reason += f" {unreliable} Pareto k values are too high for LOO to be exact."
    if abs(gain.elpd) >= SMALL_ELPD and abs(gain.elpd) > 2 * gain.se:
        good = gain.elpd > 0
        answer = "Yes." if good else "No: it predicts worse."
        clause = f"component {k} is {'' if good else 'not '}supported by the data"
        status = GOOD if good else BAD
        return Verdict("component", status, question, answer, reason, clause, values)
    if abs(gain.elpd) < SMALL_ELPD:
        reason += f" Differences below {SMALL_ELPD} are too small to rely on."
    answer = "Undecided: the data do not tell."
    clause = f"the data do not tell whether component {k} is needed"
    return Verdict("component", UNDECIDED, question, answer, reason, clause, values)


def point_estimators(comparison: Compared) -> Verdict | None:
    if not comparison.fits:
        return None
    question, maximum = "Which point estimator should fit?", comparison.maximum
    passes = {label: float(np.median(fit.passes)) for label, fit in comparison.fits.items()}
    seconds = comparison.fit_seconds
    failed = [label for label, fit in comparison.fits.items() if not fit.converged.all()]
    values = {
        "seconds": dict(seconds),
        "passes": passes,
        "starts": maximum.starts,
        "reached": maximum.reached,
        "collapsed": maximum.collapsed,
        "failed": failed,
    }
    fast = [label for label in seconds if maximum.mixture is not None or label != "em"]
    if not fast:
        answer = "None: EM has no maximum to find; add map to the estimators."
        return Verdict("point", BAD, question, answer, f"{no_maximum(maximum)}.", "", values)
    quickest = min(fast, key=lambda label: seconds[label])
    times = ", ".join(f"{label} {seconds[label]:.2g} s" for label in seconds)
    reason = f"Seconds for {comparison.settings.chains} starts: {times}."
    if maximum.mixture is None:
        reason += f" EM has no maximum to find: {no_maximum(maximum)}."
        starts = "from several starts"
    else:
        share = maximum.reached / maximum.starts
        reason += (
            f" {share:.0%} of {maximum.starts} EM starts reach the best interior maximum, log "
            f"likelihood {maximum.log_likelihood:.6f}."
        )
        starts = "one start is enough" if share > 0.95 else "use many starts"
    if failed:
        reason += f" Not every run of {listed(failed)} converged."
    answer = f"{quickest} takes the fewest seconds; {starts}."
    return Verdict("point", GOOD, question, answer, reason, "", values)


def best_parameterization(comparison: Compared) -> Verdict | None:
    """Which parameterization has the most effective draws for each pass."""
    efficiency = {label: efficiency_by_chain(item) for label, item in usable(comparison).items()}
    measure = "smallest relabelled ESS per pass"
    return ranked("parameterization", "Which parameterization should sample?", efficiency, measure)


def ranked(
    key: str, question: str, efficiency: Mapping[str, np.ndarray], measure: str
) -> Verdict | None:
    """Which sampler has the most of a measure, whose logs are given by chain."""
    if len(efficiency) < 2:
        return None
    order = sorted(efficiency, key=lambda label: -np.mean(efficiency[label]))
    best, tied, notes = order[0], [order[0]], []
    level = 1 - (1 - CONFIDENCE) / (len(order) - 1)
    ratios = {}
    for other in order[1:]:
        ratio, low, high = _ratio(efficiency[best], efficiency[other], level)
        ratios[other] = {"ratio": ratio, "low": low, "high": high}
        notes.append(f"{ratio:.2f} times {other} [{low:.2f}, {high:.2f}]")
        if low <= 1:
            tied.append(other)
    reason = f"{best} has {'; '.join(notes)} ({measure}, by chain, simultaneous 95% intervals)."
    values = {"best": best, "tied": tied, "ratios": ratios}
    if len(tied) == 1:
        clause = f"{best} gives the most effective draws for each pass"
        return Verdict(key, GOOD, question, f"{best}.", reason, clause, values)
    answer = f"A tie between {listed(tied)}: take the one you like."
    clause = f"{listed(tied)} sample equally well"
    return Verdict(key, UNDECIDED, question, answer, reason, clause, values)


def efficiency_by_chain(item: Sampled) -> np.ndarray:
    """Log of the smallest relabelled ESS per pass of each chain by itself, shape (chain,)."""
    return by_chain(item.quantities(item.labelled), item.draws.passes)


def by_chain(quantities: Mapping[str, np.ndarray], passes: np.ndarray) -> np.ndarray:
    """Log of the smallest ESS per pass of each chain, whose halves are compared."""
    logs = []
    for chain, spent in enumerate(passes):
        own = {name: values[chain : chain + 1] for name, values in quantities.items()}
        halves = {name: np.concatenate(np.array_split(value[:, : value.shape[1] // 2 * 2], 2, 1))
                  for name, value in own.items()}  # fmt: skip
        least = min(
            float(ess(values, method="bulk", chain_axis=0, draw_axis=1))
            for _, _, values in varying_quantities(halves)
        )
        logs.append(np.log(least / spent))
    return np.array(logs)


def _ratio(first: np.ndarray, second: np.ndarray, level: float) -> tuple[float, float, float]:
    test = stats.ttest_ind(first, second, equal_var=False)
    low, high = test.confidence_interval(level)
    ratio, least, most = np.exp([first.mean() - second.mean(), low, high])
    return float(ratio), float(least), float(most)


def switching(comparison: Compared) -> Verdict | None:
    question = "Is raw label switching harmless?"
    free = [item for item in comparison.sampled.values() if item.parameterization.labellings > 1]
    if not free:
        return None
    rows = {
        item.label: {
            "rhat_raw": item.worst("rhat", "raw"),
            "rhat": item.worst("rhat", "relabelled"),
            "label_changes": item.label_changes,
            "chain_disagreement": item.switching.chain_disagreement,
        }
        for item in free
    }
    reason = "; ".join(
        f"{label}: raw R-hat {row['rhat_raw']:.2f}, relabelled {row['rhat']:.3f}, labels change in "
        f"{row['label_changes']:.1%} of steps, chains disagree by {row['chain_disagreement']:.2f}"
        for label, row in rows.items()
    )
    repaired = [label for label, row in rows.items() if row["rhat"] < RHAT]
    broken = [label for label in rows if label not in repaired]
    still = all(row["label_changes"] == 0 and row["rhat_raw"] < RHAT for row in rows.values())
    status = GOOD if not broken else BAD if not repaired else NEARLY
    if still:
        answer = "There is none: no label ever changes."
    elif not repaired:
        answer = "No: the relabelled draws have not converged either."
    else:
        answer = "Yes, once the draws are relabelled"
        answer += f"; {listed(broken)} did not converge." if broken else "."
    return Verdict("switching", status, question, answer, f"{reason}.", "", rows)


def ordering(comparison: Compared) -> Verdict | None:
    question = "Does an ordering constraint bite at gap = 0?"
    if comparison.settings.components == 1:
        return None
    sampled, trusted = comparison.sampled, usable(comparison)
    mass = {label: item.switching.gap_mass for label, item in sampled.items()}
    divergent = {
        label: item.divergences
        for label, item in sampled.items()
        if item.parameterization.labellings == 1 and item.divergences
    }
    measured = ", ".join(f"{label} {value:.2%}" for label, value in mass.items())
    reason = f"Share of draws with the smallest gap below 0.1 pooled scales: {measured}."
    shown = ", ".join(f"{label} {count}" for label, count in divergent.items())
    reason += f" Divergences: {shown}." if shown else ""
    values = {"gap_mass": mass, "divergences": divergent}
    if max(mass[label] for label in trusted or mass) >= GAP_MASS:
        answer = "Yes: the posterior reaches gap = 0; prefer unordered or relabelled draws."
        return Verdict("ordering", NEARLY, question, answer, reason, "", values)
    stuck = [label for label in mass if label not in trusted and mass[label] >= GAP_MASS]
    if stuck:
        answer = f"Yes: chains of {listed(stuck)} are stuck there, away from the posterior."
        return Verdict("ordering", BAD, question, answer, reason, "", values)
    answer = "No: the components are apart."
    return Verdict("ordering", GOOD, question, answer, reason, "", values)


def jacobian(comparison: Compared) -> Verdict | None:
    shifts = {}
    for item in comparison.sampled.values():
        label = f"map {item.coordinates}"
        if label in comparison.fits and f"{label}, no Jacobian" in comparison.fits:
            pair = (comparison.fits[label], comparison.fits[f"{label}, no Jacobian"])
            shifts[item.coordinates] = _shift(pair, item)
    if not shifts:
        return None
    far = max(shifts.values()) > 1
    measured = ", ".join(f"{label} {value:.2f}" for label, value in shifts.items())
    return Verdict(
        "jacobian",
        NEARLY if far else GOOD,
        "Does the posterior mode depend on the coordinates?",
        "Yes, by more than a posterior sd." if far else "Hardly.",
        "Largest distance between the modes with and without the Jacobian, in posterior sds: "
        f"{measured}.",
        "",
        {"shifts": shifts},
    )


def _shift(pair: tuple[Any, Any], item: Sampled) -> float:
    best = [fit.mixture[int(np.argmax(fit.objective))] for fit in pair]
    modes = [item.quantities(item.in_order(mixture)) for mixture in best]
    distances = []
    for name, drawn in item.quantities(item.labelled).items():
        sd = drawn.std(axis=(0, 1))
        moved = np.abs(modes[0][name] - modes[1][name])
        distances.append(np.max(moved[sd > 0] / sd[sd > 0], initial=0.0))
    return float(max(distances))


def criteria(comparison: Compared) -> Verdict | None:
    good = usable(comparison)
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
    return Verdict(
        "criteria",
        GOOD if agree else BAD,
        "Do WAIC and LOO depend on the parameterization?",
        "No, within Monte Carlo error." if agree else "Yes, more than Monte Carlo error explains.",
        f"Priors are matched, so they should not: largest |z| {z['waic']:.1f} (WAIC) and "
        f"{z['loo']:.1f} (LOO), limit {limit:.1f}.",
        "",
        {"z": dict(z), "limit": limit},
    )
