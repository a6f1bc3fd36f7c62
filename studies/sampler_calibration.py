"""Are Gibbs sampling, SMC, tempering, a pilot that chooses and the posterior over K calibrated?

Simulation-based calibration (Talts et al. 2018): a truth from the prior, 20 points from it, and the
rank of the truth among 31 of the draws, nearly independent. Prior: means Normal(0, 2), variances
InverseGamma(2, 1), weights Dirichlet(2, 2). `calibration` asks the same of NUTS in every
parameterization; here the samplers that cross between modes run in one each: Gibbs sampling in
none, SMC in unordered coordinates, tempering in relative ones. Ranked are sorted parameters and the
log likelihood. Chains begin at means from the data, particles at the prior.

The pilot chooses between Gibbs sampling and NUTS in two coordinate systems by sweeps of Gibbs
sampling, which are discarded. On each data set another pilot, of another seed, chooses `again`:
where both choose differently, the choice is one of chance, and the draws of what was chosen must be
of the posterior all the same. Given the data neither choice knows of the truth, so the ranks of
these data sets alone are uniform, too.

Over K: the number of components is 1, 2 or 3 with the same probability, the truth is from its
prior, and its evidence is estimated by SMC. If the posterior over K is right, the share of its mass
below the true K plus a random part of that on it is uniform, and the mean probability of the true K
is the mean sum of the squared probabilities.

The margin of 0.1 on an ECDF difference is what a posterior does that is shifted by a quarter of
its standard deviation; 1,000 simulations resolve it.
"""

from __future__ import annotations

from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ordered_mix.data import Data, simulate
from ordered_mix.draws.components import posterior_components
from ordered_mix.draws.draws import Draws
from ordered_mix.draws.evidence import Evidence
from ordered_mix.mixture import Array, Mixture
from ordered_mix.parameterization import catalog
from ordered_mix.parameterization.parameterization import Parameterization
from ordered_mix.passes.kernels import e_step
from ordered_mix.prior import Prior
from ordered_mix.samplers.gibbs import Gibbs
from ordered_mix.samplers.pilot import Pilot
from ordered_mix.samplers.smc import SMC
from ordered_mix.samplers.tempering import Tempering
from ordered_mix.study import Claim, Effect, Experiment, Study, seed_of
from ordered_mix.study.confidence import confidence
from ordered_mix.study.drawing import legend, looks, nothing, panels
from ordered_mix.study.effects import mean
from ordered_mix.theory.calibration import band, largest_difference, rank, reach, thin

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ordered_mix.study.result import StudyResult

COORDINATES = {"gibbs": "unordered", "smc": "unordered", "tempering": "relative"}
WORDS = {"gibbs": "Gibbs sampling", "smc": "SMC", "tempering": "tempering"}
PILOTS = {"the pilot": False, "the pilot where another seed chooses differently": True}
PRIOR = Prior(location=0.0, spread=2.0, scale=1.0)
QUANTITIES = ("mu_1", "mu_2", "sigma_1", "sigma_2", "w_1", "log_likelihood")
RANKS = 31
POINTS = 20
PACK = 5
TRUTHS = 4000
CHAINS, CHAINS_OF_PILOT = 8, 4
MOST = 3
GIBBS = Gibbs(draws=300, tune=100)
TEMPERING = Tempering(draws=50, tune=32, temperatures=5)
PILOT = Pilot(draws=150, tune=200)
AGAIN = Pilot(draws=4, tune=1, sweeps=1)
PARTICLES = SMC(particles=256, islands=4, length=4)
MARGIN = 0.1
SHARE = 0.05


def ranks(seed: int, sampler: str, batch: int) -> list[dict[str, Any]]:
    """Ranks of several truths."""
    return [ranked(sampler, seed + i, i) for i in _pack(batch)]


def piloted(seed: int, batch: int) -> list[dict[str, Any]]:
    """Ranks of several truths among draws of the pilot, and what it and another one chose."""
    return [pilot_ranked(seed + i, i) for i in _pack(batch)]


def over_k(seed: int, batch: int) -> list[dict[str, Any]]:
    """Scores of several true numbers of components."""
    return [number_ranked(seed + i, i) for i in _pack(batch)]


def _pack(batch: int) -> range:
    return range(batch * PACK, (batch + 1) * PACK)


@lru_cache
def model(label: str, k: int) -> Parameterization:
    """One parameterization."""
    return catalog.parameterization(label, k, PRIOR)


@lru_cache
def truths(label: str, k: int) -> Mixture:
    """Draws of the prior, batch shape (TRUTHS,)."""
    return model(label, k).draw_prior(TRUTHS, seed_of("truths", label=label, k=k) % 2**31)


def ranked(sampler: str, seed: int, at: int) -> dict[str, Any]:
    """A rank for each quantity of one truth."""
    label = COORDINATES[sampler]
    truth = truths(label, 2)[at % TRUTHS]
    data = simulate(truth, POINTS, seed)
    draws = sampled(sampler, model(label, 2), data, seed)
    return ranks_of(truth, draws, data, np.random.default_rng(seed))


def pilot_ranked(seed: int, at: int) -> dict[str, Any]:
    """The same for the pilot, with its choice and that of another one."""
    found, truth = model("unordered", 2), truths("unordered", 2)[at % TRUTHS]
    data = simulate(truth, POINTS, seed)
    given = (found, data, starts_from(data, 2, CHAINS_OF_PILOT, seed))
    first, second = map(int, np.random.SeedSequence(seed).generate_state(2) // 2)
    draws, other = PILOT.sample(*given, first), AGAIN.sample(*given, second)
    chosen = {"chosen": draws.tree.attrs["chosen"], "again": other.tree.attrs["chosen"]}
    return chosen | ranks_of(truth, draws, data, np.random.default_rng(seed))


def ranks_of(truth: Mixture, draws: Draws, data: Data, rng: np.random.Generator) -> dict[str, Any]:
    """Rank of each quantity of a truth among some of its draws."""
    drawn, true = quantities(draws.mixture, data), quantities(truth, data)
    return {
        f"rank_{name}": rank(float(true[name]), thin(values, RANKS), rng)
        for name, values in drawn.items()
    }


def sampled(sampler: str, found: Parameterization, data: Data, seed: int) -> Draws:
    """Draws, those of particles one for each chain of states."""
    if sampler == "smc":
        return PARTICLES.sample(found, data, seed=seed % 2**31)
    chosen = GIBBS if sampler == "gibbs" else TEMPERING
    return chosen.sample(found, data, starts_from(data, found.k, CHAINS, seed), seed % 2**31)


def starts_from(data: Data, k: int, chains: int, seed: int) -> Mixture:
    """Equal components with the scale of the data and means at points of it."""
    mu = np.random.default_rng(seed).choice(data.y, (chains, k))
    return Mixture(np.full(k, 1 / k), mu, np.full(mu.shape, float(data.scale)))


def quantities(mixture: Mixture, data: Data) -> dict[str, Array]:
    """What is ranked, the components in the order of their means."""
    ordered = mixture.sorted()
    values = {"w_1": ordered.w[..., 0]}
    for k in (0, 1):
        values |= {f"mu_{k + 1}": ordered.mu[..., k], f"sigma_{k + 1}": ordered.sigma[..., k]}
    terms = e_step(data.y, mixture.w, mixture.mu, mixture.sigma)
    return values | {"log_likelihood": terms.log_likelihood}


def number_ranked(seed: int, at: int) -> dict[str, Any]:
    """Where the true number of components lies in its posterior."""
    rng = np.random.default_rng(seed)
    true = int(rng.integers(1, MOST + 1))
    data = simulate(truths("unordered", true)[at % TRUTHS], POINTS, seed)
    evidences = {}
    for k in range(1, MOST + 1):
        found = PARTICLES.sample(model("unordered", k), data, seed=(seed + k) % 2**31).tree.attrs
        evidences[k] = Evidence(found["log_evidence"], found["log_evidence_se"], "smc")
    posterior = posterior_components(evidences)["posterior"].to_numpy()
    score = posterior[: true - 1].sum() + rng.random() * posterior[true - 1]
    return {
        "true": true,
        "score": float(score),
        "of_truth": float(posterior[true - 1]),
        "squares": float(np.sum(posterior**2)),
    }


# --- effects of the claims ------------------------------------------------------------------------


def worst(table: pd.DataFrame, sampler: str) -> Effect:
    """`unevenness` of one sampler."""
    rows = table[table["sampler"] == sampler]
    if rows.empty:
        raise ValueError(f"the table holds no such runs of {sampler}")
    return unevenness(rows)


def of_pilot(table: pd.DataFrame, divided: bool = False) -> Effect:
    """The same for the pilot, or for those of its runs where another pilot chose differently."""
    rows = apart(table) if divided else table
    if rows.empty:
        raise ValueError("the table holds no such runs of the pilot")
    return unevenness(rows)


def apart(table: pd.DataFrame) -> pd.DataFrame:
    """Runs of the pilot where another pilot chose differently."""
    return table[table["chosen"] != table["again"]] if "again" in table else table.iloc[:0]


def unevenness(rows: pd.DataFrame) -> Effect:
    """Largest ECDF difference over quantities; the intervals of all of them hold together."""
    found = max(largest_difference(rows[f"rank_{name}"], RANKS) for name in QUANTITIES)
    slack = reach(len(rows), (1 - confidence()) / len(QUANTITIES))
    return Effect(found, max(0.0, found - slack), found + slack, len(rows))


def number(table: pd.DataFrame) -> Effect:
    """Largest ECDF difference of the scores of the true number of components."""
    scores = np.sort(table["score"].to_numpy())
    steps = np.arange(scores.size + 1) / scores.size
    found = float(np.max(np.maximum(steps[1:] - scores, scores - steps[:-1])))
    slack = reach(scores.size, 1 - confidence())
    return Effect(found, max(0.0, found - slack), found + slack, scores.size)


def probability(table: pd.DataFrame) -> Effect:
    """Mean probability of the true number of components less what it should be."""
    return mean(table["of_truth"] - table["squares"])


SBC = "Talts et al. 2018: the ranks of an exact sampler are uniform"
UNIT = "largest ECDF difference of the ranks"
REACH = "(largest ECDF difference {0:.3f} [{1:.3f}, {2:.3f}])"


def _calibrated(words: str) -> tuple[str, str, str]:
    first = words[0].upper() + words[1:]
    return (
        f"{first} is calibrated {REACH}.",
        f"{first} is not calibrated {REACH}.",
        f"For {words} the simulations are too few to tell {REACH}.",
    )


CLAIMS = (
    *(
        Claim(
            f"{words} is calibrated",
            f"{words}: the ECDF of every rank misses the uniform one by less than {MARGIN:g}.",
            SBC, partial(worst, sampler=name), "below", MARGIN, UNIT, of=("ranks",),
            words=_calibrated(words),
        )
        for name, words in WORDS.items()
    ),
    *(
        Claim(
            f"{words} is calibrated",
            f"{words}: the ECDF of every rank misses the uniform one by less than {MARGIN:g}.",
            SBC, partial(of_pilot, divided=divided), "below", MARGIN, UNIT, of=("pilot",),
            words=_calibrated(words),
        )
        for words, divided in PILOTS.items()
    ),
    Claim(
        "the posterior over K is calibrated",
        "The ECDF of the place of the true K in its posterior, by evidence of SMC, misses the "
        f"uniform one by less than {MARGIN:g}.",
        SBC, number, "below", MARGIN, "largest ECDF difference of the scores", of=("over_k",),
        words=_calibrated("the posterior over the number of components"),
    ),
    Claim(
        "the true K is as probable as it should be",
        "The mean probability of the true K is that of a calibrated posterior, within 0.05.",
        "Dawid 1982, JASA 77, 605-610", probability, "within", SHARE, "probability",
        of=("over_k",),
        words="The mean probability of the true K less what it should be is {0:.3f} [{1:.3f}, "
        "{2:.3f}].",
    ),
)  # fmt: skip


# --- the figure and the grid ----------------------------------------------------------------------


def difference_figure(result: StudyResult) -> Figure:
    """ECDF of the ranks less the uniform one, with ArviZ's 95% band for a line as a whole.
    Dashed: the margin of the claims.
    """
    table, pilot = result.tables["ranks"], result.tables["pilot"]
    parts = {words: table[table["sampler"] == sampler] for sampler, words in WORDS.items()}
    parts |= {"pilot": pilot, "pilot, another choice": apart(pilot)}
    figure, axes = panels(1, len(parts), (12.6, 3.2), sharex=True, sharey=True)
    for panel, (words, rows) in zip(axes[0], parts.items(), strict=True):
        panel.set_title(words, fontsize="medium")
        if rows.empty:
            nothing(panel)
            continue
        for name, look in looks(QUANTITIES).items():
            ranks = np.sort(rows[f"rank_{name}"])
            at = np.arange(RANKS + 2) / (RANKS + 1)
            ecdf = np.searchsorted(ranks, np.arange(RANKS + 2) - 0.5) / len(ranks)
            drawn = {"color": look.color, "linestyle": look.linestyle, "lw": 1.0}
            panel.plot(at, ecdf - at, **drawn, label=name.replace("_", " "))
        inside = band(len(rows))
        every = slice(None, None, max(1, len(rows) // 60))
        panel.fill_between(
            inside.at[every], inside.low[every], inside.high[every], color="0.85", zorder=0
        )
        for margin in (-MARGIN, MARGIN):
            panel.axhline(margin, color="0.5", lw=0.8, ls="--", zorder=0)
        panel.set_xlabel("rank of the truth / draws")
    axes[0, 0].set_ylabel("ECDF of the ranks - uniform")
    return legend(figure, axes)


BATCHES: dict[str, dict[str, Any]] = {
    "smoke": {"batch": (0,)}, "laptop": {"batch": range(200)}, "cluster": {}
}  # fmt: skip

study = Study(
    name="sampler_calibration",
    question="Are Gibbs sampling, SMC, tempering, a pilot that chooses and the posterior over K "
    "calibrated?",
    source="Talts, Betancourt, Simpson, Vehtari & Gelman 2018",
    experiments={
        "ranks": Experiment(
            cell=ranks,
            factors={"sampler": tuple(WORDS), "batch": range(800)},
            sizes=BATCHES,
            structure=("sampler",),
        ),
        "pilot": Experiment(
            cell=piloted,
            factors={"batch": range(2800)},
            sizes={**BATCHES, "laptop": {"batch": range(700)}},
        ),
        "over_k": Experiment(cell=over_k, factors={"batch": range(800)}, sizes=BATCHES),
    },
    claims=CLAIMS,
    figures={"differences": difference_figure},
    answer=("SMC is calibrated", "the posterior over K is calibrated"),
    chief=("SMC is calibrated", "the pilot is calibrated", "the posterior over K is calibrated"),
)
