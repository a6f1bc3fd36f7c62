"""Laws of relabelling: what does not depend on labels stays, what is left alone keeps its bytes."""

import subprocess
import sys

import foreign
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes

from ordered_mix.draws.relabel.dataarrays import relabel_dataarrays
from ordered_mix.draws.relabel.methods import METHODS, SORTS
from ordered_mix.draws.relabel.tree import permute_tree, relabel_tree
from ordered_mix.draws.relabel.variables import as_dataarray, permute_values, permute_variable
from ordered_mix.mixture import Mixture

DIMS = foreign.DIMS


def mixture(posterior):
    values = (posterior[name].transpose(*DIMS, ...).to_numpy() for name in ("w", "mu", "sigma"))
    return Mixture(*values)


@pytest.fixture(scope="module")
def normal():
    """Three normals of which two overlap, in labels that switch within chains."""
    rng = np.random.default_rng(4)
    shape = (2, 40, 3)
    labels = rng.permuted(np.broadcast_to(np.arange(3), shape), axis=-1)
    y = np.array([0.0, 1.5, 7])[rng.integers(0, 3, 80)] + rng.standard_normal(80)
    posterior = {
        "mu": ((*DIMS, "k"), foreign.around([0, 1.5, 7], 0.2, rng, labels)),
        "sigma": ((*DIMS, "k"), np.exp(foreign.around([0, 0, 0], 0.1, rng, labels))),
        "w": ((*DIMS, "k"), foreign.weights_around([0.3, 0.3, 0.4], rng, labels)),
        "shared": (DIMS, rng.standard_normal(shape[:2]).astype(np.float32)),
        "other": ((*DIMS, "three"), rng.standard_normal(shape)),
        "count": ((*DIMS, "three"), rng.integers(0, 9, shape)),
        "name": (("three",), np.array(["a", "b", "c"])),
    }
    return foreign.tree(posterior, y)


@pytest.mark.parametrize("method", [*METHODS, *SORTS])
def test_every_method_leaves_the_mixtures_unchanged(normal, method):
    found = relabel_tree(normal, method, likelihood="normal")
    before, after = mixture(normal["posterior"]), mixture(found.draws["posterior"])
    grid = np.linspace(-3, 10, 25)
    np.testing.assert_allclose(after.log_density(grid), before.log_density(grid), rtol=1e-12)
    y = normal["observed_data"]["y"].to_numpy()
    np.testing.assert_allclose(after.log_density(y).sum(-1), before.log_density(y).sum(-1))
    order = found.permutation.to_numpy()
    assert np.array_equal(np.sort(order, axis=-1), np.broadcast_to(np.arange(3), order.shape))
    assert set(found.permuted) | set(found.left_alone) == set(normal["posterior"].data_vars)
    for name in found.left_alone:
        given, kept = normal["posterior"][name], found.draws["posterior"][name]
        assert given.dtype == kept.dtype and given.dims == kept.dims
        assert given.to_numpy().tobytes() == kept.to_numpy().tobytes()
    assert found.draws["posterior"].identical(permute_tree(normal, order, "k")["posterior"])


@pytest.mark.parametrize("method", ["stephens", "separate", "barycentre", "ecr_iterative_1"])
def test_no_method_makes_r_hat_or_bimodality_worse(normal, method):
    found = relabel_tree(normal, method, likelihood="normal")
    assert found.effect.harm is None
    assert found.effect.worst("bimodality", "after") <= found.effect.worst("bimodality", "before")
    assert {f"{key}_{when}" for key in ("rhat", "ess", "bimodality")
            for when in ("before", "after")} < set(found.effect.table)  # fmt: skip


def test_labels_do_not_depend_on_the_labels_given(normal):
    rng = np.random.default_rng(8)
    order = rng.permuted(np.broadcast_to(np.arange(3), (2, 40, 3)), axis=-1)
    shuffled = permute_tree(normal, order, "k")
    for method in ("stephens", "separate", "barycentre"):
        first = relabel_tree(normal, method, likelihood="normal").draws["posterior"]
        second = relabel_tree(shuffled, method, likelihood="normal").draws["posterior"]
        np.testing.assert_allclose(first["mu"], second["mu"], rtol=0)


@settings(max_examples=60, deadline=None)
@given(
    further=array_shapes(min_dims=0, max_dims=3, max_side=3),
    k=st.integers(1, 5),
    draws=st.tuples(st.integers(1, 3), st.integers(1, 6)),
    dtype=st.sampled_from(["f4", "f8", "i2", "i8", "b1", "c8", "U3"]),
    seed=st.integers(0, 2**32 - 1),
    data=st.data(),
)
def test_variables_of_any_shape_order_and_type_are_permuted_and_come_back(
    further, k, draws, dtype, seed, data
):
    rng = np.random.default_rng(seed)
    sizes = dict(zip((*DIMS, "k"), (*draws, k), strict=True))
    sizes |= {f"further_{i}": size for i, size in enumerate(further)}
    dims = data.draw(st.permutations(list(sizes)))
    array = (100 * rng.standard_normal([sizes[dim] for dim in dims])).astype(dtype)
    values = xr.DataArray(array, dims=dims, coords={"k": np.arange(k) * 2}, name="x")
    order = rng.permuted(np.broadcast_to(np.arange(k), (*draws, k)), axis=-1)
    permutation = as_dataarray(order, values.to_dataset(), "k")
    moved = permute_variable(values, permutation, ["k"])
    assert moved.dims == values.dims and moved.dtype == values.dtype
    assert moved.coords.identical(values.coords)
    for chain, draw in np.ndindex(*draws):
        at = {"chain": chain, "draw": draw}
        np.testing.assert_array_equal(
            moved.isel(at).transpose("k", ...),
            values.isel(at).transpose("k", ...).to_numpy()[order[chain, draw]],
        )
    back = permute_variable(moved, np.argsort(order, axis=-1), ["k"])
    assert back.identical(values)


KINDS = ["nan", "negative", "lost", "no component", "another size", "no draws", "text"]


@pytest.mark.parametrize("order", [("k", *DIMS), (*DIMS, "k")])
def test_dataarrays_give_the_labels_that_trees_give(order):
    tree = foreign.latent_class()
    posterior = tree["posterior"].to_dataset().rename(kind="k")
    named = {"share": posterior["share"].transpose(*order)}
    p = posterior["p"].transpose("person", *order)
    by_p = relabel_dataarrays("stephens", "k", responsibilities=p)
    by_name = relabel_dataarrays("sort_share", "k", named)
    expected = relabel_tree(tree, parameters=["share"], responsibilities="p")
    for found in (by_p, by_name):
        assert found.dims == (*DIMS, "component")
        inverse = np.argsort(found.to_numpy(), axis=-1)
        together = np.take_along_axis(expected.permutation.to_numpy(), inverse, axis=-1)
        assert len(np.unique(together.reshape(-1, 2), axis=0)) == 1
    hidden = foreign.hidden_markov()["posterior"].to_dataset()
    level = {"level": hidden["level"]}
    by_z = relabel_dataarrays("ecr_iterative_1", "state", level, allocations=hidden["z"])
    moved = permute_values(hidden["z"], by_z)
    assert float(moved.std(DIMS).max()) == 0
    with pytest.raises(ValueError, match="component must be a dimension of every parameter"):
        relabel_dataarrays("separate", "kind", named)


def damage(posterior, kind, name, rng):
    """One way in which files are broken."""
    values = posterior[name]
    if kind == "nan":
        array = values.to_numpy().copy()
        array.flat[rng.integers(array.size)] = np.nan
        return posterior.assign({name: (values.dims, array)})
    if kind == "negative":
        return posterior.assign({name: -1 - abs(values)})
    if kind == "lost":
        return posterior.drop_vars(name)
    if kind == "no component":
        return posterior.assign({name: values.isel(regime=0, drop=True)})
    if kind == "another size":
        return posterior.assign({name: ((*DIMS, "new"), np.ones((*values.shape[:2], 3)) / 3)})
    if kind == "no draws":
        return posterior.assign({name: values.mean("draw")})
    return posterior.assign({name: values.astype(str)})


@pytest.mark.parametrize("name", ["w", "mu", "sigma"])
@pytest.mark.parametrize("kind", KINDS)
def test_broken_draws_end_in_one_sentence_with_the_name(kind, name):
    tree = foreign.volatility()
    broken = damage(tree["posterior"].to_dataset(), kind, name, np.random.default_rng(0))
    try:
        found = relabel_tree(broken, method="separate")
    except ValueError as error:
        message = str(error)
        assert name in message or "component" in message
        assert "\n" not in message
    else:
        # a negative mean, a shared scale or mean, and one weight are legitimate
        assert (kind, name) in {
            ("negative", "mu"), ("no component", "sigma"), ("no component", "w"),
            ("no component", "mu"),
        }  # fmt: skip
        assert found.permutation.shape == (4, foreign.DRAWS, 2)


def test_the_floors_of_arrays_and_dataarrays_import_no_models():
    code = (
        "import sys\n"
        "from ordered_mix.draws.relabel import ecr, methods, partition, separation, stephens\n"
        "from ordered_mix.draws.relabel import dataarrays, tree, uncertainty, variables\n"
        "for name in ('pymc', 'pytensor', 'nutpie', 'models', 'numba', 'ordered_mix.passes',\n"
        "             'ordered_mix.mixture', 'ordered_mix.parameterization'):\n"
        "    assert name not in sys.modules, name\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
