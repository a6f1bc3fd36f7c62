"""Diagnosing draws that someone else made, with names of their own."""

from pathlib import Path

import chance
import numpy as np
import pytest
import xarray as xr
from fabricated import NAMES as VARIABLES
from fabricated import switched_draws

from ordered_mix.compare.diagnosis import diagnose
from ordered_mix.data import load_points
from ordered_mix.draws.relabel.responsibilities import sample_allocations
from ordered_mix.files.reading import load_draws
from ordered_mix.fitted.points_starts import initial_points
from ordered_mix.multivariate import default_multivariate_prior
from ordered_mix.parameterization.catalog import parameterization
from ordered_mix.samplers.gibbs import Gibbs

NAMES = {**VARIABLES, "likelihood": "normal"}


@pytest.fixture(scope="module")
def tree():
    return switched_draws()


@pytest.mark.chance
def test_labels_are_repaired_and_the_verdict_says_so(tree):
    found = diagnose(tree, **NAMES)
    assert found.method == "stephens"
    assert found.worst("rhat", "raw") > 1.5
    assert found.worst("rhat", "relabelled") < chance.rhat_limit(1000, 4, 9)
    posterior = found.relabelled.draws["posterior"]
    spread_between_chains = posterior["centre"].mean("draw").std("chain")
    assert float(spread_between_chains.max()) < 0.1
    assert posterior["spread"].dims == ("species", "chain", "draw")
    verdicts = {verdict.question: verdict for verdict in found.verdicts}
    labels = verdicts["Do the labels switch, and which draws should be reported?"]
    assert labels.answer == "Yes: report the relabelled copy."
    assert f"{found.worst('rhat', 'raw'):.2f}" in labels.reason


def test_without_data_it_separates_and_leaves_out_the_criteria(tree):
    bare = xr.DataTree.from_dict({"posterior": tree["posterior"].to_dataset()})
    found = diagnose(bare, **NAMES)
    assert found.method == "separate"
    assert found.elpd_waic is None and found.elpd_loo is None
    assert diagnose(tree, **VARIABLES).elpd_loo is None
    given = diagnose(bare, **NAMES, y=tree["observed_data"]["obs"])
    assert given.elpd_waic.elpd == pytest.approx(diagnose(tree, **NAMES).elpd_waic.elpd)


@pytest.mark.parametrize(("suffix", "engine"), [(".nc", "h5netcdf"), (".zarr", "zarr")])
def test_files_round_trip(tree, tmp_path: Path, suffix, engine):
    path = tmp_path / f"own{suffix}"
    if engine == "zarr":
        pytest.importorskip("zarr", reason="zarr is not installed")
        tree.to_zarr(path, consolidated=False)
    else:
        tree.to_netcdf(path, engine=engine)
    assert np.array_equal(load_draws(path)["posterior"]["share"], tree["posterior"]["share"])


def test_bad_files(tmp_path):
    with pytest.raises(ValueError, match=r"nothing.nc' does not exist"):
        load_draws(tmp_path / "nothing.nc")
    (tmp_path / "text.nc").write_text("mu,sigma\n1,2\n")
    with pytest.raises(ValueError, match="must be a netCDF or zarr file"):
        load_draws(tmp_path / "text.nc")


def test_bad_draws(tree):
    with pytest.raises(ValueError, match="did you mean 'centre'"):
        diagnose(tree, mu="center", sigma="spread", weights="share")
    few = xr.DataTree.from_dict({"posterior": tree["posterior"].to_dataset().isel(draw=[0])})
    with pytest.raises(ValueError, match="must be at least 8 of one chain, got 1"):
        diagnose(few.isel(chain=[0]), **NAMES)
    broken = tree["posterior"].to_dataset().copy(deep=True)
    broken["centre"][0, 5, 1] = np.nan
    with pytest.raises(ValueError, match="finite"):
        diagnose(xr.DataTree.from_dict({"posterior": broken}), **NAMES)


def test_too_few_draws_or_points_for_loo():
    few = switched_draws(k=2, chains=2, draws=10)
    with pytest.raises(ValueError, match=r"at least 25 in all .* got 20 and 200"):
        diagnose(few, **NAMES)
    with pytest.raises(ValueError, match=r"at least 2 points.* got 1200 and 1"):
        diagnose(switched_draws(), **NAMES, y=[1.0])
    bare = switched_draws(k=2, chains=2, draws=10, data=False)
    assert diagnose(bare, **NAMES).switching.chain_disagreement == 1


def test_complaints_of_arviz_in_a_few_words(tree):
    verdicts = diagnose(tree, **NAMES).verdicts
    said = next(verdict for verdict in verdicts if "ArviZ" in verdict.question)
    assert said.answer == "It finds nothing to complain of."
    apart = tree["posterior"].to_dataset().copy(deep=True)
    apart["noise"][0] += 3
    shape = apart["noise"].shape
    rng = np.random.default_rng(1)
    diverging = np.arange(shape[0] * shape[1]).reshape(shape) % 100 == 0
    statistics = {
        "diverging": diverging,
        "maxdepth_reached": diverging & (np.arange(shape[0]) == 0)[:, None],
        "energy": np.cumsum(rng.standard_normal(shape), axis=1),
    }
    statistics = {name: (("chain", "draw"), values) for name, values in statistics.items()}
    groups = {"posterior": apart, "sample_stats": xr.Dataset(statistics)}
    found = diagnose(xr.DataTree.from_dict(groups), **NAMES)
    assert found.arviz.has_errors
    assert found.arviz.complaints == [
        "12 of the draws diverged",
        "3 of the draws hit the largest tree depth",
        "E-BFMI is low in the chains 0, 1, 2, 3",
        "R-hat is high for noise",
        "fewer than 400 effective draws for noise",
    ]


@pytest.fixture(scope="module")
def vectors():
    """Draws in two dimensions whose labels are permuted at random after every sweep."""
    data = load_points("faithful")
    model = parameterization("unordered", 2, default_multivariate_prior(data))
    starts = initial_points(data, 2, 2, 1)
    draws = Gibbs(draws=150, tune=30, permute=True).sample(model, data, starts, 1)
    return draws.tree


COVARIANCES = {"sigma": None, "cov": "covariance"}


@pytest.mark.parametrize("method", ["stephens", "sort_mu[1]", "separate", "barycentre"])
def test_vectors_of_means_are_relabelled_with_their_covariances(vectors, method):
    found = diagnose(vectors, **COVARIANCES, method=method)
    assert found.relabelled.permuted == ("w", "mu", "covariance")
    posterior = found.relabelled.draws["posterior"]
    waiting = posterior["mu"].sel(coordinate="waiting").to_numpy()
    order = np.argsort(waiting, axis=-1)
    assert (order == order[0, 0]).all()
    raw = vectors["posterior"]["mu"].sel(coordinate="waiting").to_numpy()
    assert not (np.argsort(raw, axis=-1) == np.argsort(raw[0, 0])).all()
    variance = posterior["covariance"].to_numpy()[..., 1, 1]
    before = vectors["posterior"]["covariance"].to_numpy()[..., 1, 1]
    moved = np.take_along_axis(before, np.argsort(raw, axis=-1), axis=-1)
    np.testing.assert_array_equal(np.take_along_axis(variance, order, axis=-1), moved)


def test_ecr_takes_drawn_allocations_of_points(vectors):
    found = diagnose(vectors, **COVARIANCES)
    z = sample_allocations(
        found.relabelled.known.responsibilities.stored(), np.random.default_rng(1)
    )
    tree = vectors.copy()
    tree["posterior"] = xr.DataTree(
        tree["posterior"].to_dataset().assign(z=(("chain", "draw", "point"), z))
    )
    by_ecr = diagnose(tree, **COVARIANCES, allocations="z", method="ecr_iterative_1")
    one, other = (each.relabelled.draws["posterior"]["mu"].to_numpy() for each in (found, by_ecr))
    same = np.mean(np.isclose(one, other).all(axis=(-1, -2)))
    assert max(same, np.mean(np.isclose(one, other[..., ::-1, :]).all(axis=(-1, -2)))) == 1


def test_label_invariant_quantities_of_vectors(vectors):
    found = diagnose(vectors, **COVARIANCES)
    log_likelihood = vectors["log_likelihood"]["y"].sum("point")
    np.testing.assert_allclose(found.invariants["log likelihood"], log_likelihood)
    mean = (vectors["posterior"]["w"] * vectors["posterior"]["mu"]).sum("component")
    assert np.allclose(found.invariants["mixture mu[waiting]"], mean.sel(coordinate="waiting"))
    assert {"mixture sigma[eruptions]", "mixture correlation[eruptions, waiting]"} <= set(
        found.invariants
    )
    assert found.switching.gap_mass == 0
    assert found.worst("rhat", "label-invariant") < 1.2
    assert {verdict.key for verdict in found.verdicts} >= {"converged", "labels", "boundary"}
