"""Did the chains agree, and which of them sit where there is no mass?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ordered_mix.draws.convergence import convergence
from ordered_mix.draws.predictive import thinned
from ordered_mix.draws.switching import gap_mass
from ordered_mix.fitted.verdict import BAD, GOOD, NEARLY, Verdict
from ordered_mix.mixture import Array, Mixture
from ordered_mix.passes.mixtures import log_likelihood

RHAT = 1.01
RHAT_NEARLY = 1.05
ESS = 400
FEW_DIVERGENCES = 0.001
MOST = 0.5  # of all draws: where so many diverge, modes are not why chains disagree
FEWER = "fewer components, as two of them coincide in part of the draws"
GAP_MASS = 0.01
STUCK_NATS = 7.0
STUCK_SDS = 4.0
PARAMETERS = ("w", "mu", "sigma")


@dataclass(frozen=True, eq=False)
class Agreement:
    """What tells whether chains agree, measured on labelled draws.

    Attributes
    ----------
    rhat, ess, ess_tail : float
        Worst of all weights, means and scales, and of the log likelihood.
    divergences : int
    chains, draws : int
    nats_below : ndarray, shape (chain,)
        How far the mean log likelihood of each chain is below that of the highest one.
    stuck : ndarray of bool, shape (chain,)
        Chains that are tens of nats below, and so hold no mass.
    restarted : int
        How many chains were stuck at first and were sampled again from the best optimum.
    gap_mass : float
        Share of the draws whose smallest gap is below 0.1 pooled scales.
    """

    rhat: float
    ess: float
    ess_tail: float
    divergences: int
    chains: int
    draws: int
    nats_below: Array
    stuck: NDArray[np.bool_]
    restarted: int
    gap_mass: float

    @property
    def status(self) -> str:
        """``good``, ``nearly`` (more draws will do) or ``bad``."""
        if self.stuck.any() or self.diverging or not self.rhat < RHAT_NEARLY:
            return BAD
        few = self.divergences > FEW_DIVERGENCES * self.chains * self.draws
        return NEARLY if self.rhat >= RHAT or self.ess < ESS or few else GOOD

    @property
    def diverging(self) -> bool:
        """Whether most draws end in a divergence."""
        return self.divergences > MOST * self.chains * self.draws

    @property
    def wanted_draws(self) -> int:
        """Draws a chain that would do, if R-hat or the effective number is all that is missing."""
        factor = max(2.0 if self.rhat >= RHAT else 1.0, ESS / max(self.ess, 1.0))
        return int(np.ceil(self.draws * factor / 500) * 500)


def agreement(
    y: Array,
    labelled: Mixture,
    divergences: int,
    restarted: int = 0,
    weight: Array | None = None,
) -> Agreement:
    """Measure labelled draws, batch shape (chain, draw), of at least two chains."""
    heights = log_likelihoods(y, thinned(labelled, y.size), weight)
    draws = {name: getattr(labelled, name) for name in PARAMETERS}
    mass = gap_mass(labelled.w, labelled.mu, labelled.sigma)
    return agreement_of(draws, heights, mass, divergences, restarted)


def agreement_of(
    draws: Mapping[str, Array],
    heights: Array,
    gap_mass: float,
    divergences: int,
    restarted: int = 0,
) -> Agreement:
    """Measure labelled quantities, (chain, draw, component), and log likelihoods, (chain, draw)."""
    table = convergence(dict(draws) | {"log_likelihood": heights})
    shape = next(iter(draws.values())).shape
    below = nats_below(heights)
    return Agreement(
        rhat=float(table["rhat"].max()),
        ess=float(table["ess_bulk"].min()),
        ess_tail=float(table["ess_tail"].min()),
        divergences=divergences,
        chains=shape[0],
        draws=shape[1],
        nats_below=below,
        stuck=stuck(heights),
        restarted=restarted,
        gap_mass=gap_mass,
    )


def log_likelihoods(y: Array, draws: Mixture, weight: Array | None = None) -> Array:
    """Log likelihood of every draw, shape (chain, draw)."""
    return log_likelihood(y, draws, weight)


def nats_below(heights: Array) -> Array:
    """How far the mean of each chain is below the highest mean, shape (chain,)."""
    means = heights.mean(axis=1)
    return means.max() - means


def stuck(heights: Array) -> NDArray[np.bool_]:
    """Chains that are far below the highest one, in nats and in its standard deviations.

    Parameters
    ----------
    heights : array, shape (chain, draw)
        Log likelihood of every draw.
    """
    spread = heights[np.argmax(heights.mean(axis=1))].std()
    return nats_below(heights) > max(STUCK_NATS, STUCK_SDS * spread)


def did_the_chains_agree(
    found: Agreement, k: int, chains: Agreement | None = None, sampler: str = "NUTS"
) -> Verdict:
    """The verdict, with advice that follows from the cause.

    Parameters
    ----------
    found : Agreement
        Of the draws.
    k : int
        Number of components.
    chains : Agreement, optional
        Of the chains that particles replaced.
    sampler : str
        Whose chains these were.
    """
    values = {name: getattr(found, name) for name in
              ("rhat", "ess", "ess_tail", "divergences", "chains", "draws", "restarted",
               "gap_mass")}  # fmt: skip
    values |= {"nats_below": found.nats_below.tolist(), "stuck": found.stuck.tolist()}
    answer, clause = _answer(found, k)
    reason, status = _reason(found), found.status
    if chains is not None:
        values |= {"rhat_of_chains": chains.rhat, "divergences_of_chains": chains.divergences}
        answer, clause = _of_particles(found, chains, answer, clause)
        reason = (
            f"Chains of {sampler} {_why(chains)} (R-hat {chains.rhat:.2f}), so the draws "
            f"are particles of sequential Monte Carlo, {found.chains} independent runs. {reason}"
        )
        status = NEARLY if chains.diverging and status == GOOD else status
    return Verdict("agree", status, "Did the chains agree?", answer, reason, clause, values)


def _of_particles(found: Agreement, chains: Agreement, answer: str, clause: str) -> tuple[str, str]:
    if found.status == BAD:
        return answer, clause
    agreed = "agree" if found.status == GOOD else "nearly agree"
    able = "need no gradient" if chains.diverging else "reach all of them"
    return (
        f"No: they {_why(chains)}. Runs of sequential Monte Carlo, which {able}, {agreed}.",
        f"chains {_why(chains)}, runs of sequential Monte Carlo {agreed}",
    )


def _why(chains: Agreement) -> str:
    if not chains.diverging:
        return "sat in different modes"
    return f"diverged in {chains.divergences:,} of {chains.chains * chains.draws:,} draws"


def _answer(found: Agreement, k: int) -> tuple[str, str]:
    if found.status == GOOD:
        again = f", after {_restarts(found)}" if found.restarted else ""
        return f"Yes{again}.", f"the chains agree{again}"
    if found.status == NEARLY:
        advice = _nearly(found)
        return f"Nearly: {advice}.", f"the chains nearly agree ({advice})"
    advice = f"{_cause(found)}: {remedy(found, k)}"
    return f"No: {advice}.", f"the chains disagree ({advice})"


def _restarts(found: Agreement) -> str:
    one = found.restarted == 1
    return (
        f"{found.restarted} of {found.chains} chains {'was' if one else 'were'} restarted from the "
        "best optimum"
    )


def _nearly(found: Agreement) -> str:
    if found.rhat >= RHAT or found.ess < ESS:
        return f"take {found.wanted_draws:,} draws"
    return "take a target acceptance rate of 0.95"


def _cause(found: Agreement) -> str:
    count = int(found.stuck.sum())
    if found.diverging:
        return f"they {_why(found)}"
    if count:
        low = found.nats_below[found.stuck].min()
        return f"{count} of {found.chains} chains {'sits' if count == 1 else 'sit'} {low:.0f} " \
               "nats or more below the others"  # fmt: skip
    return "the chains sit in different places"


def remedy(found: Agreement, k: int) -> str:
    """What to do about chains that disagree: fewer components only where two of them coincide."""
    if found.diverging:
        return "take other coordinates, or look at the model"
    if k > 1 and found.gap_mass >= GAP_MASS and not found.stuck.any():
        return FEWER
    if found.rhat < 1.2 and not found.stuck.any():
        return f"take {max(found.wanted_draws, 4 * found.draws):,} draws"
    return "take more components, which may separate them, or more chains from other starts"


def _reason(found: Agreement) -> str:
    diverged = f"{found.divergences} divergence{'' if found.divergences == 1 else 's'}"
    low = ", ".join(f"{value:.1f}" for value in found.nats_below)
    text = (
        f"Largest R-hat {found.rhat:.3f} (limit {RHAT}), smallest ESS {found.ess:.0f} (at least "
        f"{ESS}), {diverged}; mean log likelihood of the chains below the highest one: {low} nats."
    )
    return f"{text} {_restarts(found).capitalize()}." if found.restarted else text
