"""Relabelling of ArviZ trees with foreign names, dimension orders and extra variables."""

import json

import arviz_stats
import chance
import foreign
import numpy as np
import pytest
import xarray as xr
from scipy import stats

from ordered_mix.draws.relabel.permute import permute
from ordered_mix.draws.relabel.tree import permute_tree, relabel_tree
from ordered_mix.files.reading import load_draws


def foreign_tree(seed=0, draws=150):
    """A tree as PyMC writes it without coords, one variable with its dimensions transposed."""
    rng = chance.rng(seed)
    y = np.concatenate([rng.normal(0, 1, 60), rng.normal(5, 1, 60)])
    shape = (2, draws, 2)
    labels = np.zeros(shape, dtype=int)
    labels[0], labels[1] = [0, 1], [1, 0]
    mu = permute(np.array([0.0, 5.0]) + 0.1 * rng.normal(size=shape), labels)
    tau = permute(rng.uniform(0.9, 1.1, shape), labels)
    p = permute(rng.dirichlet([50, 50], shape[:2]), labels)
    z = (np.abs(y - mu[..., :1]) > np.abs(y - mu[..., 1:])).astype(int)
    dims = ("chain", "draw")
    posterior = xr.Dataset(
        {
            "centre": ((*dims, "centre_dim_0"), mu),
            "tau": (("tau_dim_0", "draw", "chain"), tau.transpose(2, 1, 0)),
            "p": ((*dims, "p_dim_0"), p),
            "log_p": ((*dims, "log_p_dim_0"), np.log(p)),
            "z": ((*dims, "z_dim_0"), z),
            "gap": (dims, np.abs(mu[..., 1] - mu[..., 0])),
            "loading": ((*dims, "loading_dim_0", "centre_dim_0"), np.stack([mu, -mu], axis=2)),
        },
        coords={"chain": [0, 1], "draw": np.arange(draws)},
    )
    observed = xr.Dataset({"y": (("obs",), y)})
    return xr.DataTree.from_dict(
        {"posterior": posterior, "observed_data": observed, "unconstrained_posterior": posterior}
    )


NAMES = {
    "mu": "centre", "sigma": "tau", "weights": "p", "allocations": ("z",), "dims": "log_p_dim_0",
    "likelihood": "normal",
}  # fmt: skip


@pytest.mark.chance
@pytest.mark.parametrize("method", ["stephens", "ecr", "sort_mu"])
def test_all_component_indexed_variables_move_together(method):
    tree = foreign_tree()
    before = tree["posterior"].to_dataset().copy(deep=True)
    result = relabel_tree(tree, method, **NAMES)
    after = result.draws["posterior"].to_dataset()
    assert arviz_stats.rhat(tree, var_names="centre")["centre"].max() > 1.5
    limit = chance.rhat_limit(200, 2, 2)
    assert arviz_stats.rhat(result.draws, var_names="centre")["centre"].max() < limit
    assert set(result.dims) == {"centre_dim_0", "log_p_dim_0", "p_dim_0", "tau_dim_0"}
    assert set(result.permuted) == {"centre", "tau", "p", "log_p", "loading", "z"}
    assert result.left_alone == ("gap",)
    order = result.permutation
    assert order.dims == ("chain", "draw", "component")
    record = result.draws["relabelling"]
    np.testing.assert_array_equal(record["permutation"], order)
    assert record.attrs["method"] == method
    assert json.loads(record.attrs["left_alone"]) == ["gap"]
    for name in ("centre", "p", "log_p"):
        np.testing.assert_array_equal(after[name], permute(before[name], order))
    tau = before["tau"].transpose("chain", "draw", "tau_dim_0")
    assert after["tau"].dims == ("tau_dim_0", "draw", "chain")
    np.testing.assert_array_equal(after["tau"].transpose(*tau.dims), permute(tau, order))
    np.testing.assert_array_equal(after["loading"][:, :, 1], -after["centre"])
    np.testing.assert_array_equal(after["gap"], before["gap"])
    np.testing.assert_array_equal(
        np.take_along_axis(after["centre"].to_numpy(), after["z"].to_numpy(), -1),
        np.take_along_axis(before["centre"].to_numpy(), before["z"].to_numpy(), -1),
    )
    assert "unconstrained_posterior" not in result.draws.children
    xr.testing.assert_identical(tree["posterior"].to_dataset(), before)
    xr.testing.assert_identical(
        result.draws["observed_data"].to_dataset(), tree["observed_data"].to_dataset()
    )


def test_shared_scale_and_known_weights():
    tree = foreign_tree()
    posterior = tree["posterior"].to_dataset()
    posterior["common"] = posterior["tau"].mean("tau_dim_0").transpose("chain", "draw")
    tree = xr.DataTree.from_dict({"posterior": posterior})
    result = relabel_tree(
        tree, "sort_mu", mu="centre", sigma="common", weights=None, dims="centre_dim_0"
    )
    means = result.draws["posterior"]["centre"]
    assert bool((means[..., 0] < means[..., 1]).all())
    xr.testing.assert_equal(result.draws["posterior"]["common"], posterior["common"])


def test_user_permutation_and_both_dims_of_a_transition_matrix():
    rng = np.random.default_rng(3)
    transition = rng.normal(size=(1, 4, 2, 2))
    tree = xr.DataTree.from_dict(
        {"posterior": xr.Dataset({"P": (("chain", "draw", "from", "to"), transition)})}
    )
    order = np.broadcast_to([1, 0], (1, 4, 2))
    copy = permute_tree(tree, order, dims=("from", "to"))["posterior"]["P"]
    np.testing.assert_array_equal(copy, transition[:, :, ::-1, ::-1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mu": "center"}, "did you mean 'centre'"),
        (
            {"mu": "gap", "sigma": "gap", "weights": None, "allocations": (), "dims": None},
            "parameters must name a variable with",
        ),
        ({"mu": "loading", "dims": None}, "dims must name the component dimension of loading"),
        ({"method": "kl"}, "method must be one of"),
        ({"method": "sort_k"}, "method 'sort_k' must name one of"),
        ({"order": "k"}, "order must name a component parameter"),
        ({"allocations": ("alloc",)}, "allocations 'alloc' is not a variable"),
        ({"allocations": ("gap",)}, "allocations 'gap' must hold whole numbers"),
        ({"dims": ("k",)}, "k is not among"),
        ({"separate": [("gap", "z", "p")]}, "separate must name one variable .* each of 2"),
        (
            {"responsibilities": "r", "likelihood": None},
            "responsibilities 'r' is not a variable of any group",
        ),
        (
            {"responsibilities": "centre", "likelihood": None},
            "responsibilities must be non-negative and add up",
        ),
        ({"sigma": None, "likelihood": None}, "'stephens' needs a likelihood, but the draws do"),
        ({"y": [1.0, np.inf]}, "y must be finite"),
    ],
)
def test_bad_names(change, message):
    with pytest.raises(ValueError, match=message):
        relabel_tree(foreign_tree(draws=10), **({"method": "stephens"} | NAMES | change))


def test_bad_trees():
    tree = foreign_tree(draws=10)
    posterior = tree["posterior"].to_dataset()
    with pytest.raises(ValueError, match="posterior group"):
        relabel_tree(xr.DataTree(), **NAMES)
    with pytest.raises(ValueError, match="dimensions chain and draw"):
        flat = posterior.isel(chain=0, draw=0)
        relabel_tree(xr.DataTree.from_dict({"posterior": flat}), **NAMES)
    with pytest.raises(ValueError, match="must be a DataTree, a Dataset or an InferenceData"):
        relabel_tree({"posterior": posterior}, **NAMES)
    with pytest.raises(ValueError, match="y must hold the data"):
        relabel_tree(xr.DataTree.from_dict({"posterior": posterior}), "stephens", **NAMES)
    posterior["centre"][0, 0, 0] = np.nan
    with pytest.raises(ValueError, match="centre must be finite, but 1 of its 40"):
        relabel_tree(xr.DataTree.from_dict({"posterior": posterior}), "sort_mu", **NAMES)


def old_file(path):
    """A file as ArviZ before 1.0 wrote it: groups one by one, attributes of their own, warm-up."""
    tree = foreign.volatility()
    posterior = tree["posterior"].to_dataset().assign_coords(
        chain=np.arange(foreign.CHAINS), draw=np.arange(foreign.DRAWS)
    )  # fmt: skip
    y = tree["observed_data"]["y"].to_numpy()
    w, mu, sigma = (posterior[name].to_numpy() for name in ("w", "mu", "sigma"))
    joint = np.log(w)[:, :, None] + stats.norm.logpdf(y[:, None], mu[:, :, None], sigma[:, :, None])
    pointwise = xr.DataArray(foreign.logsumexp(joint), dims=(*foreign.DIMS, "y_dim_0"))
    diverging = xr.zeros_like(posterior["mu"][..., 0], dtype=bool).drop_vars("regime")
    warmup = posterior.isel(draw=slice(30))
    groups = {
        "posterior": posterior,
        "log_likelihood": xr.Dataset({"y": pointwise}),
        "sample_stats": xr.Dataset({"diverging": diverging}),
        "observed_data": xr.Dataset({"y": ("y_dim_0", y)}),
        "constant_data": xr.Dataset({"x": ("x_dim_0", np.arange(3.0))}),
        "warmup_posterior": warmup,
        "warmup_log_likelihood": xr.Dataset({"y": pointwise[:, :30]}),
        "warmup_sample_stats": xr.Dataset({"diverging": diverging[:, :30]}),
    }
    xr.Dataset(attrs={"inference_library": "pymc", "inference_library_version": "4.0"}).to_netcdf(
        path, engine="h5netcdf"
    )
    for name, data in groups.items():
        data.attrs = {"created_at": "2022-11-26T20:43:42.979419", "arviz_version": "0.13.0"}
        data.to_netcdf(path, mode="a", group=name, engine="h5netcdf")
    return warmup


def test_old_files_are_read_with_their_warm_up(tmp_path):
    warmup = old_file(tmp_path / "old.nc")
    read = load_draws(tmp_path / "old.nc")
    found = relabel_tree(read)
    assert found.method == "stephens" and found.check.stored and found.check.value < 1e-9
    assert found.left_alone == ("warmup_posterior", "warmup_log_likelihood", "warmup_sample_stats")
    xr.testing.assert_equal(found.draws["warmup_posterior"].to_dataset(), warmup)
    of_warmup = relabel_tree(read, group="warmup_posterior")
    assert of_warmup.method == "stephens" and of_warmup.check.stored
    assert of_warmup.permuted == ("w", "mu", "sigma") and of_warmup.left_alone == ("posterior",)
    means = of_warmup.draws["warmup_posterior"]["sigma"].mean("draw")
    np.testing.assert_allclose(means, np.broadcast_to([0.52, 1.67], (4, 2)), atol=0.08)
    found.draws.to_netcdf(tmp_path / "new.nc", engine="h5netcdf")
    again = load_draws(tmp_path / "new.nc")
    assert again["posterior"].attrs["arviz_version"] == "0.13.0"


def test_groups_of_other_draws_are_named_as_left():
    tree = foreign.volatility(data=False)
    posterior = tree["posterior"].to_dataset()
    tree["prior"] = xr.DataTree(posterior.isel(chain=[0]))
    tree["posterior_predictive"] = xr.DataTree(posterior.isel(draw=slice(20)))
    found = relabel_tree(tree)
    assert found.left_alone == ("prior", "posterior_predictive")
    assert found.draws["prior"].identical(tree["prior"])
