"""Verdicts on fabricated draws whose troubles are known."""

import re
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from ordered_mix.compare.comparison import Comparison, Settings
from ordered_mix.data import Data
from ordered_mix.draws import elpd
from ordered_mix.draws.draws import Draws
from ordered_mix.estimators.em import EM
from ordered_mix.estimators.loop.initial import initial_mixtures
from ordered_mix.fitted.labels import labels_by_what_separates
from ordered_mix.fitted.maximum import find_maximum
from ordered_mix.fitted.posterior import Posterior
from ordered_mix.fitted.verdict import headline
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization import catalog
from ordered_mix.passes.kernels import log_density
from ordered_mix.prior import Prior

CHAINS, DRAWS = 4, 500
DIMS = ("chain", "draw", "component")
TRUTH = Mixture([0.5, 0.5], [-2.0, 2.0], [1.0, 1.0])
DATA = Data(TRUTH.sample(120, np.random.default_rng(0)), name="made")


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
    data = xr.Dataset({"y": ("point", DATA.y)})
    groups = {
        "observed_data": data,
        "posterior": posterior,
        "sample_stats": statistics,
        "warmup_sample_stats": statistics,
    }
    tree = xr.DataTree.from_dict(groups)
    tree.attrs["seconds"] = 0.1
    return Draws(tree)


def sampled(name, made, k=2):
    mixture = made.mixture
    pointwise = log_density(DATA.y, mixture.w, mixture.mu, mixture.sigma)
    return Posterior(
        f"nuts {name}", "nuts", catalog.parameterization(name, k, Prior()), made,
        elpd.waic(pointwise), elpd.loo(pointwise), labels_by_what_separates(mixture, DATA.y),
    )  # fmt: skip


@pytest.fixture(scope="module")
def base():
    settings = Settings(parameterizations=("unordered", "relative"))
    starts = initial_mixtures(DATA, 2, CHAINS, "random", 1)
    items = [sampled("unordered", draws(1, swapped=(1, 2))), sampled("relative", draws(2))]
    fewer_components = sampled("unordered", draws(3, k=1), k=1)
    maximum = find_maximum(DATA, 2)
    em = EM().fit(catalog.parameterization("unordered", 2), DATA, starts)
    return Comparison(
        DATA, settings, Prior(), starts, maximum, maximum.mixture, {"em": em},
        {"em": 0.1}, {item.label: item for item in items}, {}, fewer_components,
    )  # fmt: skip


def answers(comparison):
    return {verdict.key: verdict for verdict in comparison.verdicts}


def swap(comparison, *items):
    return replace(comparison, sampled={item.label: item for item in items})


def test_good_chains(base):
    found = answers(base)
    assert found["agree"].status == "good"
    assert found["switching"].answer == "Yes, once the draws are relabelled."
    assert found["ordering"].status == "good"
    assert found["component"].answer == "Yes."
    assert found["criteria"].answer == "No, within Monte Carlo error."
    assert found["parameterization"].answer.startswith("A tie between")
    three = headline([found[key] for key in ("agree", "describe", "prior")])
    assert three.startswith("The chains agree; ") and three.count(";") == 2
    assert headline(base.verdicts).startswith(three.rstrip("."))


def test_twice_the_steps_lose(base):
    slow = sampled("relative", draws(2, steps=28))
    found = answers(swap(base, base.sampled["nuts unordered"], slow))
    assert found["parameterization"].answer == "nuts unordered."
    assert found["parameterization"].values["best"] == "nuts unordered"


def test_divergences_and_chains_stuck_at_the_boundary(base):
    stuck = sampled("relative", draws(4, stuck=(3,), divergent=9))
    found = answers(swap(base, base.sampled["nuts unordered"], stuck))
    assert found["agree"].answer == "Yes, in nuts unordered; not in nuts relative."
    assert found["agree"].values["nuts relative"]["divergences"] == 9
    assert found["agree"].values["nuts relative"]["stuck"] == [False, False, False, True]
    assert found["ordering"].status == "bad"
    assert "parameterization" not in found  # one sampler left


def test_no_component_is_judged_by_chains_that_disagree(base):
    stuck = sampled("unordered", draws(5, stuck=(0, 3)))
    found = answers(swap(base, stuck))
    assert found["agree"].status == "bad"
    assert found["switching"].status == "bad"
    assert found["component"].status == "undecided"
    assert "supported by" not in headline(swap(base, stuck).verdicts)


def test_advice_follows_from_the_cause(base):
    """Stuck chains ask for more components or chains; only coinciding means for fewer."""
    apart = sampled("unordered", draws(5, stuck=(3,)))
    assert "more components" in answers(swap(base, apart))["agree"].answer
    merged = draws(6, stuck=range(CHAINS))
    merged.tree["posterior"]["sigma"][0] *= 1.15  # not where the others are, yet not far below
    found = answers(swap(base, sampled("unordered", merged)))["agree"]
    assert found.status == "bad" and "fewer components" in found.answer


def test_chains_that_nearly_agree_get_a_number_of_draws(base):
    few = draws(8)
    made = Draws(few.tree.isel(draw=slice(0, 60)))
    found = answers(swap(base, sampled("unordered", made)))["agree"]
    assert found.status == "nearly"
    assert re.fullmatch(r"Nearly: take [\d,]+ draws\.", found.answer)


def test_posterior_at_the_boundary(base):
    found = answers(swap(base, sampled("unordered", draws(6, stuck=range(CHAINS)))))
    assert found["ordering"].status == "nearly"
    assert found["component"].answer == "Undecided: the data do not tell."


def test_other_posteriors_have_other_criteria(base):
    shifted = draws(7)
    shifted.tree["posterior"]["mu"] += 0.6
    found = answers(swap(base, base.sampled["nuts unordered"], sampled("relative", shifted)))
    assert found["criteria"].status == "bad"


def test_an_identifiable_sampler_says_nothing_of_switching(base):
    found = answers(swap(base, base.sampled["nuts relative"]))
    assert "switching" not in found
