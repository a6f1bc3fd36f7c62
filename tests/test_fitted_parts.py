"""Parts of a fit by themselves: stuck chains, checks, labels, criteria at a bounded cost, files."""

import dataclasses

import chance
import numpy as np
import pytest
import xarray as xr

from ordered_mix import fit
from ordered_mix.arrays import rounding
from ordered_mix.data import Data
from ordered_mix.draws.checks import (
    anderson_darling,
    anderson_darling_cdf,
    checks,
    kolmogorov_smirnov,
)
from ordered_mix.draws.draws import Draws
from ordered_mix.draws.elpd import loo, pointwise_log_likelihood
from ordered_mix.draws.predictive import MOST_LOO_POINTS, predictive, thinned
from ordered_mix.draws.published import published, raw_draws
from ordered_mix.fitted import crossing
from ordered_mix.fitted.agreement import (
    Agreement,
    agreement,
    did_the_chains_agree,
    nats_below,
    stuck,
)
from ordered_mix.fitted.estimates import matched_to
from ordered_mix.fitted.labels import labels_by_what_separates
from ordered_mix.fitted.prior_question import does_the_prior_decide
from ordered_mix.fitted.questions import questions
from ordered_mix.fitted.restart import sample_restarting
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization import catalog

TRUTH = Mixture([0.3, 0.7], [-2.0, 2.0], [1.0, 1.0])
CHAINS, LENGTH = 4, 250


def around(truth, rng, mu=0.1, sigma=0.05):
    """Draws around a mixture, batch shape (chain, draw)."""
    shape = (CHAINS, LENGTH, truth.k)
    w = rng.dirichlet(200 * truth.w, shape[:2])
    means = truth.mu + mu * rng.standard_normal(shape)
    return Mixture(w, means, truth.sigma * np.exp(sigma * rng.standard_normal(shape)))


def tree_of(draws, y, seconds=1.0):
    dims = ("chain", "draw", "component")
    values = {name: (dims, getattr(draws, name)) for name in ("w", "mu", "sigma")}
    steps = {"n_steps": (dims[:2], np.full(draws.batch_shape, 7))}
    groups = {"posterior": values, "sample_stats": steps, "observed_data": {"y": ("point", y)}}
    tree = xr.DataTree.from_dict({name: xr.Dataset(group) for name, group in groups.items()})
    tree.attrs["seconds"] = seconds
    return tree


@pytest.fixture(scope="module")
def y():
    return TRUTH.sample(300, np.random.default_rng(1))


def with_chain(draws, chain, other):
    """The draws with one chain of others."""
    arrays = []
    for name in ("w", "mu", "sigma"):
        values = getattr(draws, name).copy()
        values[chain] = getattr(other, name)[chain]
        arrays.append(values)
    return Mixture(*arrays)


def test_a_chain_without_mass_is_restarted_and_said_so(y):
    rng = np.random.default_rng(2)
    good = around(TRUTH, rng)
    away = around(Mixture([0.5, 0.5], [0.7, 0.8], [2.0, 2.0]), rng)
    bad = with_chain(good, 2, away)
    asked = []

    class Canned:
        """A sampler that gives these draws first, and from then on some around the truth."""

        def __init__(self, first, takes_starts=True):
            self.first, self.takes_starts = Draws(tree_of(first, y)), takes_starts

        def sample(self, parameterization, data, starts, seed):
            asked.append((starts, seed))
            if starts is begin:
                return self.first
            return Draws(tree_of(around(TRUTH, rng)[: starts.batch_shape[0]], y))

    begin, model = good[:, 0], catalog.parameterization("unordered", 2)
    given = (model, Data(y), begin, TRUTH, 7)
    draws, restarted = sample_restarting(Canned(bad), *given)
    assert restarted == 1 and [seed for _, seed in asked] == [7, 8]
    assert asked[1][0].batch_shape == (1,) and np.array_equal(asked[1][0].mu[0], TRUTH.mu)
    kept = [0, 1, 3]
    assert np.array_equal(draws.mixture.mu[kept], bad.mu[kept])
    assert not np.array_equal(draws.mixture.mu[2], bad.mu[2]) and draws.seconds == 2.0
    found = agreement(y, draws.mixture, 0, restarted)
    verdict = did_the_chains_agree(found, 2)
    assert verdict.status == "good" and verdict.values["restarted"] == 1
    assert "1 of 4 chains was restarted from the best optimum" in verdict.answer
    before = did_the_chains_agree(agreement(y, bad, 0), 2)
    assert before.status == "bad" and before.values["stuck"] == [False, False, True, False]
    for sampler in (Canned(draws.mixture), Canned(bad, takes_starts=False)):
        same, none = sample_restarting(sampler, *given)
        assert none == 0 and same is sampler.first


def test_chains_are_stuck_only_when_far_below():
    rng = np.random.default_rng(3)
    heights = -1000 + 1.5 * rng.standard_normal((4, 400))
    assert not stuck(heights).any()
    heights[1] -= 16
    assert stuck(heights).tolist() == [False, True, False, False]
    assert nats_below(heights)[1] == pytest.approx(16, abs=0.5)
    wide = -1000 + 10 * rng.standard_normal((4, 400))
    wide[1] -= 16  # within the spread of the others
    assert not stuck(wide).any()


@pytest.mark.chance
def test_distributions_of_the_discrepancies_are_exact():
    """The limit of Anderson and Darling against simulated uniform samples of 100 points."""
    u = np.sort(chance.rng(5).random((20_000, 100)), axis=-1)
    statistic = anderson_darling(u, 1 - u)
    for q in (0.5, 0.9, 0.99):
        hits = int(np.sum(anderson_darling_cdf(statistic) < q))
        near = q + 0.003 * np.sign(hits / 20_000 - q)  # it is a limit, for many points
        assert chance.proportion(hits, 20_000, near, 3) or abs(hits / 20_000 - q) < 0.003
    assert kolmogorov_smirnov(np.array([0.5])) == 0.5


def test_checks_pass_what_is_right_and_fail_what_is_not(y):
    rng = np.random.default_rng(4)
    good = checks(y, around(TRUTH, rng, 0.08))
    assert min(check.p for check in good.named().values()) > 0.005
    one = Mixture([1.0], [y.mean()], [y.std()])
    shapeless = checks(y, around(one, rng, 0.1))
    assert min(shapeless.ks.p, shapeless.tails.p) < 0.005
    far = checks(np.append(y, 60.0), around(TRUTH, rng, 0.08))
    assert far.extreme.p < 0.005 and far.extreme.at == 60
    assert good.pit.min() >= 0 and good.pit.max() <= 1 and len(good.pit) == len(y)


def test_rounded_data_are_judged_by_their_cells(y):
    rng = np.random.default_rng(6)
    assert rounding(np.sort(np.round(y))) == 1.0
    assert rounding(np.sort(y)) == 0.0
    assert rounding(np.sort(np.append(y, [9.0] * 20))) == 0.0
    coarse = checks(np.round(y), around(TRUTH, rng, 0.08))
    assert min(coarse.ks.p, coarse.tails.p) > 0.005
    steep = Mixture([0.5, 0.5], [0.0, 0.0], [0.05, 6.0])
    spiked = np.round(np.where(rng.random(400) < 0.5, 0, 6 * rng.standard_normal(400)))
    assert checks(spiked, around(steep, rng, 0.001)).ks.p > 0.005


def test_labels_follow_scales_where_means_coincide():
    truth = Mixture([0.4, 0.6], [0.0, 0.0], [0.3, 3.0])
    rng = np.random.default_rng(7)
    points, draws = truth.sample(300, rng), around(truth, rng, 0.1)
    swapped = draws.permute(np.argsort(rng.random(draws.mu.shape), axis=-1))
    labelled = swapped.permute(labels_by_what_separates(swapped, points))
    order = labelled.sigma[0, 0].argsort()
    assert np.all(labelled.sigma[..., order[0]] < labelled.sigma[..., order[1]])
    assert labelled.mu[..., 0].mean() <= labelled.mu[..., 1].mean()


def test_point_estimates_are_matched_to_the_labels():
    rng = np.random.default_rng(8)
    draws = around(Mixture([0.4, 0.6], [0.0, 0.001], [3.0, 0.3]), rng, 0.01)
    one = Mixture([0.6, 0.4], [-0.001, 0.0], [0.31, 2.9])
    assert matched_to(draws, one).sigma.tolist() == [2.9, 0.31]


def test_a_published_tree_is_labelled_and_gives_back_the_raw_one(y):
    rng = np.random.default_rng(9)
    raw = tree_of(around(TRUTH, rng).permute([1, 0]), y)
    permutation = np.broadcast_to([1, 0], (CHAINS, LENGTH, 2))
    tree = published(raw, permutation, "a method")
    assert tree["posterior"].attrs["labels"].startswith("relabelled (a method)")
    assert (tree["posterior"]["mu"][..., 0] < 0).all()
    assert tree["posterior"]["component"].values.tolist() == [1, 2]
    back = raw_draws(tree)
    xr.testing.assert_identical(back["posterior"].dataset, raw["posterior"].dataset)
    assert back.attrs == raw.attrs and set(back.children) == set(raw.children)
    assert raw_draws(raw) is raw


@pytest.mark.chance
def test_subsampled_loo_is_within_its_error():
    rng = chance.rng(10)
    points = TRUTH.sample(MOST_LOO_POINTS + 1000, rng)
    draws = around(TRUTH, rng, 0.03, 0.02)
    found = predictive(points, draws).loo
    whole = loo(pointwise_log_likelihood(points, draws.w, draws.mu, draws.sigma))
    assert found.subsample_size == MOST_LOO_POINTS and whole.subsample_size is None
    assert abs(found.elpd - whole.elpd) < chance.z_for(1) * found.mcse
    assert found.elpd == pytest.approx(float(found.elpd_i.sum()))
    assert found.n_data_points == len(points) and found.se == pytest.approx(whole.se, rel=0.01)
    assert np.isfinite(found.largest_pareto_k)
    assert int(np.isfinite(found.pareto_k).sum()) == MOST_LOO_POINTS


def test_many_draws_of_many_points_are_thinned_alike():
    draws = around(TRUTH, np.random.default_rng(11))
    assert thinned(draws, 1000) is not None
    assert thinned(draws, 10**9).batch_shape == (CHAINS, LENGTH)  # never below a thousand
    more = Mixture(*(np.tile(getattr(draws, n), (1, 8, 1)) for n in ("w", "mu", "sigma")))
    assert thinned(more, 10**6).batch_shape == (CHAINS, LENGTH)


def test_the_prior_decides_where_it_keeps_the_mode_from_the_maximum():
    assert does_the_prior_decide(0.1, 2.5, None).status == "good"
    assert does_the_prior_decide(9.0, 2.5, None).status == "bad"
    none = does_the_prior_decide(None, 2.5, None, "EM shrinks a component onto 7 (once)")
    assert none.status == "nearly" and "onto 7" in none.reason
    lone = does_the_prior_decide(0.1, 2.5, None, lone={2: "one value, 7", 3: "no value"})
    assert lone.answer == (
        "In part: on component 2, which holds one value, 7 and component 3, which holds no value."
    )
    assert lone.status == "nearly" and lone.values["lone"] == {2: "one value, 7", 3: "no value"}
    assert does_the_prior_decide(9.0, 2.5, None, lone={2: "no value"}).status == "bad"


def test_weights_of_the_data_are_refused(y):
    with pytest.raises(ValueError, match="one unweighted sample"):
        fit(Data(y, np.ones(len(y))))


# --- particles in place of chains that cannot cross -----------------------------------------------


def test_particles_take_over_where_they_agree_better(monkeypatch):
    monkeypatch.setattr(crossing, "disagree", lambda found: True)
    monkeypatch.setattr(crossing, "PARTICLES", 256)
    monkeypatch.setattr(crossing, "LENGTH", 8)
    found = fit("acidity", 3, draws=50, tune=50, chains=2, cores=1, seed=3)
    verdict = questions(found)[0]
    taken = found.chains is not None
    assert taken == (found.draws.mixture.mu.shape[0] == 8)
    assert taken == ("sequential Monte Carlo" in verdict.reason)
    if taken:
        assert found.agreement.rhat < found.chains.rhat
        assert verdict.answer.startswith("No: ")


@pytest.mark.parametrize(
    ("rhat", "said"), [(1.001, "them, agree."), (1.02, "them, nearly agree."), (1.5, "No: ")]
)
def test_the_answer_on_particles_says_what_the_chains_did(rhat, said):
    quiet = np.zeros(8)
    base = Agreement(rhat, 900.0, 900.0, 0, 8, 1000, quiet, quiet > 0, 0, 0.0)
    chains = dataclasses.replace(base, rhat=1.9)
    verdict = did_the_chains_agree(base, 3, chains)
    assert said in verdict.answer and "R-hat 1.90" in verdict.reason
    assert verdict.values["rhat_of_chains"] == 1.9
    assert "sequential" not in did_the_chains_agree(base, 3).reason


def test_chains_that_diverge_everywhere_did_not_sit_in_modes():
    quiet = np.zeros(8)
    base = Agreement(1.001, 900.0, 900.0, 0, 8, 1000, quiet, quiet > 0, 0, 0.0)
    chains = dataclasses.replace(base, divergences=7900)
    assert chains.status == "bad" and dataclasses.replace(base, divergences=3999).status == "nearly"
    alone, taken = did_the_chains_agree(chains, 3), did_the_chains_agree(base, 3, chains)
    for verdict in (alone, taken):
        assert verdict.status != "good" and "diverged in 7,900 of 8,000 draws" in verdict.answer
    assert "look at the model" in alone.answer and "need no gradient" in taken.answer
    assert "modes" not in alone.answer + taken.answer + taken.reason
