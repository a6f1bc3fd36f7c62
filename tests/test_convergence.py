"""R-hat, ESS and MCSE tables, R-hat along a run, invariant scalars and sampler statistics."""

from pathlib import Path

import arviz_stats
import chance
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats
from scipy.stats import norm

from ordered_mix.draws.convergence import convergence, invariant_scalars, raw_and_sorted
from ordered_mix.draws.rhat import nested_rhat, reached, rhat_path
from ordered_mix.draws.statistics import arviz_names, diagnose, summarise_sampler


def stuck_chains(draws=500, seed=0):
    """Independent draws around means 0 and 5; the second chain carries the other labels."""
    rng = chance.rng(seed)
    mu = rng.normal([0.0, 5.0], 0.1, size=(2, draws, 2))
    sigma = rng.uniform(0.9, 1.1, size=mu.shape)
    w1 = rng.uniform(0.25, 0.35, size=(2, draws))
    w = np.stack([w1, 1 - w1], axis=-1)
    for values in (w, mu, sigma):
        values[1] = values[1, :, ::-1].copy()
    return w, mu, sigma


@pytest.mark.chance
def test_sorting_repairs_rhat_of_stuck_chains():
    table = raw_and_sorted(*stuck_chains(), passes=1000.0, seconds=2.0)
    raw, ascending = (table[table["labels"] == labels] for labels in ("raw", "sorted"))
    means = raw[raw["quantity"] == "mu"]
    assert (means["rhat"] > 1.5).all()
    ess = ascending["ess_bulk"].to_numpy()
    assert np.all(ascending["rhat"] < chance.rhat_limit(np.minimum(ess, 1000), 2, 6))
    # of 1,000 independent draws
    assert (ess > 500).all() and (means["ess_bulk"] < 10).all()
    np.testing.assert_allclose(table["ess_per_pass"], table["ess_bulk"] / 1000)
    np.testing.assert_allclose(table["ess_per_second"], table["ess_bulk"] / 2)
    assert list(raw["component"]) == [0, 1] * 3


def test_switched_reference_draws_of_low_dim_gauss_mix():
    """Real draws, every other chain relabelled: raw R-hat is hopeless, sorted R-hat is fine."""
    file = Path(__file__).parent / "reference" / "low_dim_gauss_mix_draws.csv.gz"
    draws = pd.read_csv(file)
    w1 = draws["w1"].to_numpy().reshape(10, 1000)
    w = np.stack([w1, 1 - w1], axis=-1)
    mu, sigma = (
        draws[[f"{name}1", f"{name}2"]].to_numpy().reshape(10, 1000, 2) for name in ("mu", "sigma")
    )
    for values in (w, mu, sigma):
        values[::2] = values[::2, :, ::-1].copy()
    table = raw_and_sorted(w, mu, sigma).set_index(["labels", "quantity"]).sort_index()
    assert (table.loc[("raw", "mu"), "rhat"] > 1.5).all()
    assert (table.loc["sorted", "rhat"] < 1.01).all()


@pytest.mark.chance
def test_measures_are_those_of_arviz_and_mcse_is_honest():
    values = chance.rng(1).normal(3, 2, size=(4, 1000))
    row = convergence({"theta": values}).iloc[0]
    assert row["component"] == -1
    assert row["rhat"] == arviz_stats.rhat(values, chain_axis=0, draw_axis=1)
    # of independent draws an ESS is known to about 3%
    allowed = 0.03 * chance.z_for(2)
    assert row["mcse_mean"] == pytest.approx(2 / np.sqrt(4000), rel=allowed)
    assert row["mcse_sd"] == pytest.approx(2 / np.sqrt(2 * 4000), rel=allowed)


def test_constants_are_left_out():
    _, mu, sigma = stuck_chains()
    table = raw_and_sorted(np.array([0.5, 0.5]), mu, sigma)
    assert set(table["quantity"]) == {"mu", "sigma"}
    with pytest.raises(ValueError, match=r"got only constants in \['w'\]"):
        convergence({"w": np.full((2, 10, 2), 0.5)})


def test_frozen_chains_have_infinite_rhat():
    values = np.repeat([[0.0], [1.0]], 50, axis=1)
    assert np.isinf(rhat_path({"mu": values})["rhat"].iloc[-1])


@pytest.mark.chance
def test_nested_rhat():
    rng = chance.rng(2)
    values = rng.normal(size=(12, 50))
    groups = [0, 0, 0, 1, 1, 1, 2, 2, 2, 5, 5, 5]
    # squared it is 1 more than the ratio of the variances between 4 and within them, over 150 draws
    allowed = stats.chi2.isf(chance.alpha(), 3) / 3 / 150
    assert nested_rhat(values, groups) < np.sqrt(1.05 + allowed)
    values[:3] += 3
    assert nested_rhat(values, groups) > 1.5
    with pytest.raises(ValueError, match="superchains must name a group"):
        nested_rhat(values, [0] * 5 + [1] * 7)
    with pytest.raises(ValueError, match="superchains must name a group"):
        nested_rhat(values, [0] * 12)


@pytest.mark.chance
def test_rhat_path_and_where_it_is_reached():
    rng = chance.rng(3)
    start = np.array([[8.0], [-8.0]]) * np.exp(-np.arange(2000) / 20)
    path = rhat_path(
        {"theta": rng.normal(size=(2, 2000)) + start},
        steps=np.full((2, 2000), 7),
        warmup_passes=100,
    )
    assert path["draws"].iloc[0] == 4 and path["draws"].iloc[-1] == 2000
    # the first four draws of the chains are apart, in whatever order; 4,000 draws are enough
    assert path["rhat"].iloc[0] > 1.3 and path["rhat"].iloc[-1] < 1.05
    np.testing.assert_array_equal(path["passes"], 100 + 14 * path["draws"])
    found = reached(path, threshold=1.05)
    before = path[path["draws"] < found.draws]["rhat"].iloc[-1]
    assert before > 1.05
    assert path[path["draws"] >= found.draws]["rhat"].max() <= 1.05
    assert found.passes == 100 + 14 * found.draws
    assert reached(path, threshold=0.5) is None
    alone = rhat_path({"theta": start}, points=1)
    assert alone["draws"].tolist() == [4]
    with pytest.raises(ValueError, match="points must be at least 1, got 0"):
        rhat_path({"theta": start}, points=0)


def test_invariant_scalars_do_not_see_labels():
    rng = chance.rng(4)
    y = rng.normal(2, 3, size=40)
    draws = stuck_chains(draws=20)
    scalars = invariant_scalars(y, *draws)
    swapped = invariant_scalars(y, *(values[..., ::-1] for values in draws))
    assert len(scalars) == 6
    for name, values in scalars.items():
        np.testing.assert_allclose(values, swapped[name], rtol=1e-12)
    w, mu, sigma = draws
    density = np.sum(
        w[..., None, :] * norm.pdf(y[:, None], mu[..., None, :], sigma[..., None, :]), axis=-1
    )
    np.testing.assert_allclose(scalars["log_likelihood"], np.log(density).sum(axis=-1), rtol=1e-12)
    at = invariant_scalars(y, *draws, points=[y[3]])
    np.testing.assert_allclose(at[f"density at {y[3]:.6g}"], density[..., 3], rtol=1e-12)
    assert convergence(scalars)["component"].eq(-1).all()


def statistics(seed=5):
    rng = chance.rng(seed)
    shape = (2, 300)
    diverging = np.zeros(shape, dtype=bool)
    diverging[0, :3] = True
    return {
        "diverging": diverging,
        "depth": np.full(shape, 3),
        "maxdepth_reached": np.zeros(shape, dtype=bool),
        "n_steps": np.full(shape, 7),
        "mean_tree_accept": np.full(shape, 0.8),
        "energy": rng.normal(size=shape),
    }


@pytest.mark.chance
def test_sampler_summary_of_nutpie_and_arviz_names_agree():
    first = summarise_sampler(statistics())
    second = summarise_sampler(arviz_names(statistics()))
    assert first.divergences == second.divergences == 3
    assert first.divergence_rate == pytest.approx(3 / 600)
    assert (first.steps, first.saturated, first.tree_depth) == (4200, 0, 3.0)
    assert first.bfmi.shape == (2,)
    # of 300 independent normals: the variance of 300 squared differences is within 4 / 300
    np.testing.assert_allclose(first.bfmi, 2, atol=chance.z_for(2) * 2 / np.sqrt(300))
    broken = statistics()
    del broken["depth"]
    with pytest.raises(ValueError, match="tree_depth is missing"):
        summarise_sampler(broken)


def test_diagnose_sees_divergences_tree_depth_and_rhat_under_nutpie_names():
    _, mu, sigma = stuck_chains(draws=300)
    saturated = statistics()
    saturated["maxdepth_reached"][1, :5] = True
    dims = ("chain", "draw", "component")
    posterior = {"mu": (dims, mu), "sigma": (dims, sigma), "w": (dims, np.full(mu.shape, 0.5))}
    tree = xr.DataTree.from_dict(
        {
            "posterior": xr.Dataset(posterior, coords={"chain": [0, 1]}),
            "sample_stats": xr.Dataset(
                {k: (("chain", "draw"), v) for k, v in saturated.items()}, coords={"chain": [0, 1]}
            ),
        }
    )
    found = diagnose(tree)
    assert found.has_errors
    assert found.details["divergent"]["n_divergent"] == 3
    assert found.details["treedepth"]["n_max"] == 5
    assert found.details["rhat"]["bad_params"] == ["mu"]
    assert "3 of 600" in found.text
    with pytest.raises(ValueError, match="posterior group"):
        diagnose(xr.DataTree())


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros((1, 10)), "theta has 1 chain"),
        (np.zeros((2, 3)), "theta has 3 draws per chain"),
        (np.full((2, 9), np.nan), "theta must be finite, but 18 of its 18"),
        (np.zeros(5), r"theta must have the axes \(chain, draw, component\)"),
    ],
)
def test_bad_draws(values, message):
    with pytest.raises(ValueError, match=message):
        convergence({"theta": values})


def test_bad_cost():
    with pytest.raises(ValueError, match="passes must be a positive number, got 0"):
        convergence({"theta": np.random.default_rng(0).normal(size=(2, 9))}, passes=0)
    with pytest.raises(ValueError, match="steps must hold non-negative numbers of shape"):
        rhat_path({"theta": np.random.default_rng(0).normal(size=(2, 9))}, steps=np.ones((2, 8)))
