"""Verdicts on fabricated draws whose troubles are known."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from ordered_mix.compare.comparison import Comparison, Sampled, Settings
from ordered_mix.compare.verdicts import faults
from ordered_mix.data import Data
from ordered_mix.draws import elpd
from ordered_mix.draws.draws import Draws
from ordered_mix.estimators.em import EM
from ordered_mix.estimators.loop.initial import initial_mixtures
from ordered_mix.mixture import Mixture
from ordered_mix.optima.multistart import MultiStart
from ordered_mix.parameterization import catalog
from ordered_mix.passes.kernels import log_density
from ordered_mix.prior import Prior

CHAINS, DRAWS = 4, 500
DIMS = ("chain", "draw", "component")
TRUTH = Mixture([0.5, 0.5], [-2.0, 2.0], [1.0, 1.0])
DATA = Data(TRUTH.sample(120, np.random.default_rng(0)), name="made")
QUESTIONS = {
    "trust": "Can the fit be trusted?",
    "best": "Which parameterization should sample?",
    "switching": "Is raw label switching harmless?",
    "boundary": "Does an ordering constraint bite at gap = 0?",
    "component": "Is component 2 supported?",
    "criteria": "Do WAIC and LOO depend on the parameterization?",
}


def draws(seed, *, swapped=(), stuck=(), divergent=0, steps=7, k=2):
    """Draws around the truth; some chains swap labels, some sit at gap = 0."""
    rng = np.random.default_rng(seed)
    shape = (CHAINS, DRAWS, k)
    mu = (TRUTH.mu if k == 2 else [0.0]) + 0.12 * rng.standard_normal(shape)
    w = np.broadcast_to(1 / k, shape) + 0.0
    if k == 2:
        w[..., 0] += 0.04 * rng.standard_normal(shape[:2])
        w[..., 1] = 1 - w[..., 0]
    sigma = (1.0 if k == 2 else 2.2) * np.exp(0.06 * rng.standard_normal(shape))
    for chain in stuck:
        mu[chain] = 0.001 * rng.standard_normal(shape[1:])
        sigma[chain] = 2.2 * np.exp(0.06 * rng.standard_normal(shape[1:]))
    for chain in swapped:
        mu[chain], w[chain], sigma[chain] = (v[chain, :, ::-1] for v in (mu, w, sigma))
    diverging = np.zeros(shape[:2], bool)
    diverging[0, :divergent] = True
    flat = {
        "n_steps": np.full(shape[:2], steps), "tree_depth": np.full(shape[:2], 3),
        "diverging": diverging, "reached_max_treedepth": np.zeros(shape[:2], bool),
        "acceptance_rate": np.full(shape[:2], 0.8), "energy": rng.standard_normal(shape[:2]),
    }  # fmt: skip
    statistics = xr.Dataset({name: (DIMS[:2], value) for name, value in flat.items()})
    posterior = xr.Dataset({n: (DIMS, v) for n, v in (("w", w), ("mu", mu), ("sigma", sigma))})
    groups = {"posterior": posterior, "sample_stats": statistics, "warmup_sample_stats": statistics}
    tree = xr.DataTree.from_dict(groups)
    tree.attrs["seconds"] = 0.1
    return Draws(tree)


def sampled(name, made, k=2):
    mixture = made.mixture
    pointwise = log_density(DATA.y, mixture.w, mixture.mu, mixture.sigma)
    return Sampled(
        f"nuts {name}", "nuts", catalog.parameterization(name, k, Prior()), made,
        elpd.waic(pointwise), elpd.loo(pointwise),
    )  # fmt: skip


@pytest.fixture(scope="module")
def base():
    settings = Settings(parameterizations=("unordered", "relative"))
    starts = initial_mixtures(DATA, 2, CHAINS, "random", 1)
    items = [sampled("unordered", draws(1, swapped=(1, 2))), sampled("relative", draws(2))]
    fewer = sampled("unordered", draws(3, k=1), k=1)
    model = catalog.parameterization("unordered", 2)
    return Comparison(
        DATA, settings, Prior(), starts, MultiStart().fit(model, DATA),
        {"em": EM().fit(model, DATA, starts)},
        {"em": 0.1}, {item.label: item for item in items}, {}, fewer,
    )  # fmt: skip


def answers(comparison):
    found = {verdict.question: verdict for verdict in comparison.verdicts}
    return {key: found[question] for key, question in QUESTIONS.items() if question in found}


def swap(comparison, *items):
    return replace(comparison, sampled={item.label: item for item in items})


def test_good_chains(base):
    found = answers(base)
    assert found["trust"].answer == "Yes."
    assert found["switching"].answer == "Yes, once the draws are folded (sorted by mean)."
    assert found["boundary"].answer == "No: the components are apart."
    assert found["component"].answer == "Yes."
    assert found["criteria"].answer == "No, within Monte Carlo error."
    assert found["best"].answer.startswith("A tie between")


def test_twice_the_steps_lose(base):
    slow = sampled("relative", draws(2, steps=28))
    found = answers(swap(base, base.sampled["nuts unordered"], slow))
    assert found["best"].answer == "nuts unordered."
    assert "times nuts relative" in found["best"].reason


def test_divergences_and_chains_stuck_at_the_boundary(base):
    stuck = sampled("relative", draws(4, stuck=(3,), divergent=9))
    found = answers(swap(base, base.sampled["nuts unordered"], stuck))
    assert found["trust"].answer == (
        "Yes, from nuts unordered, with care: chains of the others sit in different modes."
    )
    assert "9 divergences" in found["trust"].reason
    assert found["boundary"].answer == (
        "Yes: chains of nuts relative are stuck there, away from the posterior."
    )
    assert "best" not in found  # one sampler left
    assert len(faults(stuck)) == 3


def test_no_sampler_to_trust(base):
    stuck = sampled("unordered", draws(5, stuck=(0, 3)))
    found = answers(swap(base, stuck))
    assert found["trust"].answer.startswith("No:")
    assert found["switching"].answer == "No: the folded draws have not converged either."


def test_posterior_at_the_boundary(base):
    all_stuck = sampled("unordered", draws(6, stuck=range(CHAINS)))
    found = answers(swap(base, all_stuck))
    assert found["boundary"].answer.startswith("Yes: the posterior reaches gap = 0")
    assert found["component"].answer == "Undecided: the data do not tell."


def test_other_posteriors_have_other_criteria(base):
    shifted = draws(7)
    shifted.tree["posterior"]["mu"] += 0.6
    found = answers(swap(base, base.sampled["nuts unordered"], sampled("relative", shifted)))
    assert found["criteria"].answer.startswith("Yes")


def test_an_identifiable_sampler_says_nothing_of_switching(base):
    found = answers(swap(base, base.sampled["nuts relative"]))
    assert "switching" not in found
