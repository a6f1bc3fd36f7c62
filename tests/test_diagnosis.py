"""Diagnosing draws that someone else made, with names of their own."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from ordered_mix.diagnosis import diagnose, load_draws
from ordered_mix.mixture import Mixture

TRUTH = Mixture([0.3, 0.4, 0.3], [-4.0, 0.0, 4.0], [1.0, 1.0, 1.2])
NAMES = {"mu": "centre", "sigma": "spread", "weights": "share"}


@pytest.fixture(scope="module")
def tree():
    """Three components around the truth, labels differ by chain, one dim stands first."""
    rng = np.random.default_rng(7)
    y = TRUTH.sample(200, rng)
    shape = (4, 300, 3)
    mu = TRUTH.mu + 0.1 * rng.standard_normal(shape)
    sigma = TRUTH.sigma * np.exp(0.05 * rng.standard_normal(shape))
    w = np.abs(TRUTH.w + 0.02 * rng.standard_normal(shape))
    w /= w.sum(axis=-1, keepdims=True)
    labels = np.stack([rng.permutation(3) for _ in range(4)])[:, None]
    labels = np.broadcast_to(labels, shape)
    w, mu, sigma = (np.take_along_axis(value, labels, -1) for value in (w, mu, sigma))
    posterior = xr.Dataset(
        {
            "centre": (("chain", "draw", "species"), mu),
            "spread": (("species", "chain", "draw"), np.moveaxis(sigma, -1, 0)),
            "share": (("chain", "draw", "species"), w),
            "noise": (("chain", "draw"), rng.standard_normal(shape[:2])),
        },
        coords={"species": ["a", "b", "c"]},
    )
    observed = xr.Dataset({"obs": ("obs_id", y)})
    return xr.DataTree.from_dict({"posterior": posterior, "observed_data": observed})


def test_labels_are_repaired_and_the_verdict_says_so(tree):
    found = diagnose(tree, **NAMES)
    assert found.method == "stephens"
    assert found.worst("rhat", "raw") > 1.5
    assert found.worst("rhat", "relabelled") < 1.01
    posterior = found.relabelled.draws["posterior"]
    spread_between_chains = posterior["centre"].mean("draw").std("chain")
    assert float(spread_between_chains.max()) < 0.1
    assert posterior["spread"].dims == ("species", "chain", "draw")
    verdicts = {verdict.question: verdict for verdict in found.verdicts}
    labels = verdicts["Do the labels switch, and which draws should be reported?"]
    assert labels.answer == "Yes: report the relabelled copy."
    assert f"{found.worst('rhat', 'raw'):.2f}" in labels.reason


def test_without_data_it_sorts_and_leaves_out_the_criteria(tree):
    bare = xr.DataTree.from_dict({"posterior": tree["posterior"].to_dataset()})
    found = diagnose(bare, **NAMES)
    assert found.method == "sort_mu"
    assert found.elpd_waic is None and found.elpd_loo is None
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
    with pytest.raises(ValueError, match="one component dimension"):
        diagnose(tree, mu="noise", sigma="spread", weights="share")
    one = xr.DataTree.from_dict({"posterior": tree["posterior"].to_dataset().isel(chain=[0])})
    with pytest.raises(ValueError, match="at least 2 chains"):
        diagnose(one, **NAMES)
    broken = tree["posterior"].to_dataset().copy(deep=True)
    broken["centre"][0, 5, 1] = np.nan
    with pytest.raises(ValueError, match="finite"):
        diagnose(xr.DataTree.from_dict({"posterior": broken}), **NAMES)
