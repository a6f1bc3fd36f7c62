"""Kinds of draws that people bring, each with what must happen to it."""

import foreign
import numpy as np
import pytest
import xarray as xr
from foreign import DIMS, around, labels_of

from ordered_mix.compare.diagnosis import diagnose
from ordered_mix.draws.relabel.tree import relabel_tree
from ordered_mix.report import render

RNG = np.random.default_rng(0)
MU = around([-3, 3], 0.3, RNG, labels_of(2))


def regimes():
    return foreign.volatility()["posterior"].to_dataset()


def observed(posterior, **groups):
    return xr.DataTree.from_dict({"posterior": posterior, **groups})


def relabelled(found, worst=1.05):
    effect = found.effect
    assert effect.worst("rhat", "after") < worst < effect.worst("rhat", "before")
    assert effect.meaningful


def test_components_of_documents_and_of_words():
    """Shares of topics in documents, (document, topic), and of words in topics."""
    labels = labels_of(3)
    shares = np.exp(around(RNG.normal(size=(3, 8)), 0.05, RNG, labels))
    shares = np.moveaxis(shares / shares.sum(2, keepdims=True), 2, 3)
    words = np.exp(around(np.log(RNG.dirichlet(np.ones(90), 3)), 0.05, RNG, labels))
    z = np.argsort(labels, -1)[..., RNG.integers(0, 3, 40).reshape(8, 5)]
    posterior = xr.Dataset({
        "theta": ((*DIMS, "document", "topic"), shares),
        "phi": ((*DIMS, "topic", "word"), words / words.sum(-1, keepdims=True)),
        "z": ((*DIMS, "document", "position"), z),
    })  # fmt: skip
    for named in ({"parameters": ["theta", "phi"]}, {"parameters": ["phi"], "allocations": "z"}):
        found = relabel_tree(posterior, **named, dims="topic")
        relabelled(found)
        assert ("z" in found.permuted) == ("allocations" in named)
        assert set(found.effect.table["variable"]) >= {"theta", "phi"}
    with pytest.raises(ValueError, match="dims must name the component dimension of theta"):
        relabel_tree(posterior, parameters=["theta", "phi"])


def test_a_transition_matrix_without_names_of_dimensions():
    posterior = foreign.hidden_markov()["posterior"].to_dataset()
    plain = xr.Dataset({
        name: ((*DIMS, *(f"{name}_dim_{axis}" for axis in range(values.ndim - 2))), values.data)
        for name, values in posterior.data_vars.items()
    })  # fmt: skip
    named = {"mu": "level", "sigma": "noise", "weights": None}
    without = relabel_tree(plain, **named)
    assert any(note.startswith("P is left alone; if P_dim_0") for note in without.notes)
    found = diagnose(plain, **named, allocations="z", dims=["P_dim_0", "P_dim_1"])
    relabelled(found.relabelled)
    assert set(found.relabelled.permuted) == {"level", "noise", "P", "z"}
    sizes = found.relabelled.effect.by_variable.set_index("variable").loc["z (points)"]
    assert np.isinf(sizes["rhat_before"]) and np.isnan(sizes["rhat_after"])
    assert "z (points)" in render(found)


def test_samples_stacked_with_chains_and_draws_as_coordinates():
    posterior = regimes().assign_coords(chain=range(4), draw=range(foreign.DRAWS))
    stacked = posterior.stack(sample=DIMS).reset_index("sample")
    found = relabel_tree(observed(stacked))
    relabelled(found)
    assert np.array_equal(found.permutation, relabel_tree(posterior).permutation)


@pytest.mark.parametrize("kind", [float, bool, np.int8])
def test_allocations_of_any_type_follow(kind):
    tree = foreign.sampled_allocations()
    posterior = tree["posterior"].to_dataset()
    tree["posterior"] = posterior.assign(assignment=posterior["assignment"].astype(kind))
    found = relabel_tree(tree, mu="centers", sigma="sds", weights="p", allocations="assignment")
    relabelled(found)
    after = found.draws["posterior"]["assignment"]
    assert after.dtype == kind and float(after.mean(DIMS).std()) > 0.4


def test_constants_among_the_variables():
    equal = regimes().assign(mu=((*DIMS, "regime"), MU))
    equal["sigma"] = xr.ones_like(equal["mu"])
    equal["w"] = xr.full_like(equal["mu"], 0.5)
    relabelled(relabel_tree(equal))
    by_label = np.take_along_axis(np.broadcast_to([0.5, 1.5], MU.shape), labels_of(2), -1)
    found = relabel_tree(equal.assign(sigma=((*DIMS, "regime"), by_label)))
    assert np.isinf(found.effect.worst("rhat", "before"))
    assert np.isinf(found.effect.separation) and found.effect.by == "sigma"
    assert found.effect.worst("rhat", "after") < 1.05


def test_what_is_missing_is_said_with_what_to_pass():
    bare = regimes()[["mu", "sigma"]]
    with pytest.raises(ValueError, match=r"weights 'w' is not .*pass weights=None .* equal"):
        relabel_tree(bare)
    relabelled(relabel_tree(bare, weights=None))
    only = regimes().assign(mu=((*DIMS, "regime"), MU))[["mu"]]
    with pytest.raises(ValueError, match=r"sigma 'sigma' is not .*pass its value .*sigma=None"):
        relabel_tree(only)
    for named in ({"sigma": None}, {"sigma": 1.0}, {"parameters": ["mu"]}):
        relabelled(relabel_tree(only, **named, weights=None))
    with pytest.raises(ValueError, match=r"sigma must have the dimension chain.*known values"):
        relabel_tree(only.assign(sigma=("regime", np.ones(2))), weights=None)


def test_chains_in_another_mode_are_said_to_be_so():
    other = around([1, 9], 0.2, RNG, labels_of(2))
    mu = around([0, 5], 0.2, RNG, labels_of(2))
    mu[2:] = other[2:]
    found = diagnose(regimes().assign(mu=((*DIMS, "regime"), mu)))
    answers = {verdict.key: verdict.answer for verdict in found.verdicts}
    assert answers["labels"] == "Yes, and no relabelling repairs these chains."
    same = np.take_along_axis(mu, labels_of(2), -1)
    posterior = regimes()[["w"]].mean("regime") * 0 + 0.5
    apart = diagnose(posterior.assign(mu=((*DIMS, "k"), same)), sigma=None)
    answers = {verdict.key: verdict for verdict in apart.verdicts}
    assert answers["labels"].answer == "No: labels are not what keeps the chains apart."
    assert answers["labels"].status == "bad"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mu": ["mu", "mu"]}, "mu must name another variable for each component, got mu, mu"),
        ({"mu": "mu,mu"}, "mu must name another variable for each component"),
        ({"separate": [("a", "a")]}, "separate must name one variable .* each of 2"),
        ({"allocations": "seven"}, "allocations must lie in 0 to 1 for 2 components, got 7 to 8"),
        ({"weights": "heavy"}, "heavy must hold non-negative weights that add up to 1"),
        ({"weights": "logs"}, "logs must hold non-negative weights"),
        ({"mu": "three"}, "the same number of components, got three 3, sigma 2, w 2"),
        ({"mu": "words"}, "words must hold numbers"),
    ],
)
def test_wrong_input_is_named(change, message):
    posterior = regimes()
    posterior = posterior.assign(
        a=posterior["mu"][..., 0],
        seven=((*DIMS, "point"), RNG.integers(7, 9, (4, foreign.DRAWS, 9))),
        heavy=1.1 * posterior["w"],
        logs=np.log(posterior["w"]),
        three=((*DIMS, "three"), RNG.normal(size=(4, foreign.DRAWS, 3))),
        words=posterior["mu"].astype(str),
    )
    with pytest.raises(ValueError, match=message):
        relabel_tree(posterior, **change)


def test_what_is_no_covariance_is_named():
    tree = foreign.multivariate()
    with pytest.raises(ValueError, match="chol must hold symmetric positive definite matrices"):
        relabel_tree(tree, cov="chol", dims=["cluster", "chol_dim_0"])


def test_too_few_draws():
    with pytest.raises(ValueError, match="draws must be at least 4 of each chain, got 3"):
        diagnose(regimes().isel(draw=slice(3)))
    with pytest.raises(ValueError, match="draws must hold a draw of a chain"):
        relabel_tree(regimes().isel(draw=slice(0)))


def test_a_sorted_copy_stays_and_decides_nothing():
    copy = np.sort(MU, axis=-1)
    posterior = regimes().assign(mu=((*DIMS, "regime"), MU), ranked=((*DIMS, "regime"), copy))
    found = relabel_tree(posterior)
    relabelled(found)
    assert found.left_alone == ("ranked",)
    assert "ranked is left alone: it holds the values of mu in sorted order." in found.notes
    model_sorts = relabel_tree(posterior, mu="ranked", sigma=None, weights=None)
    assert "ranked" in model_sorts.permuted
    assert model_sorts.draws["posterior"]["ranked"].identical(posterior["ranked"])


def test_what_shares_a_dimension_by_mistake_decides_nothing_and_is_said_to_be_worse():
    beta = ((*DIMS, "regime"), RNG.normal([1.5, -1], 0.05, MU.shape))
    posterior = regimes().assign(mu=((*DIMS, "regime"), MU), beta=beta)
    found = relabel_tree(posterior)
    rows = found.effect.by_variable.set_index("variable")
    assert rows.loc["mu", "rhat_after"] < 1.05 < rows.loc["mu", "rhat_before"]
    assert found.effect.worse == ["beta"]
    assert found.notes[-1].startswith("beta is worse once permuted: its largest R-hat is 1.0")


def test_values_that_are_not_finite_do_no_harm_where_nothing_needs_them():
    rng = np.random.default_rng(3)
    posterior = regimes()
    broken = np.where(rng.random(MU.shape) < 0.01, np.nan, MU)
    posterior["follows"] = ((*DIMS, "regime"), broken)
    posterior["stays"] = (DIMS, np.full((4, foreign.DRAWS), np.nan))
    posterior["word"] = (DIMS, np.full((4, foreign.DRAWS), "a"))
    y = np.array([1.0, np.nan, 2])
    pointwise = np.full((4, foreign.DRAWS, 3), -np.inf)
    tree = observed(
        posterior,
        observed_data=xr.Dataset({"height": ("point", y)}),
        log_likelihood=xr.Dataset({"height": ((*DIMS, "point"), pointwise)}),
    )
    found = diagnose(tree)
    relabelled(found.relabelled)
    assert "follows" in found.relabelled.permuted
    notes = " ".join(found.relabelled.notes)
    assert "height of observed_data is not used: 1 of its values are not finite." in notes
    assert "The log likelihood height stored with the draws is not used: 1200 of" in notes
    said = next(verdict for verdict in found.verdicts if verdict.key == "arviz")
    assert "Left out, with values that are not finite: follows, stays." in said.reason
    assert "follows" in render(found)
    with pytest.raises(ValueError, match="y must be finite"):
        diagnose(tree, y=y)


def test_a_log_likelihood_by_component_or_without_points_is_not_taken_for_one_of_the_points():
    tree, density = foreign.regression()
    posterior = tree["posterior"].to_dataset()
    by_component = xr.Dataset({"each": ((*DIMS, "obs", "component"), density)})
    named = {"parameters": ["alpha", "beta"], "log_likelihood": "each"}
    found = diagnose(observed(posterior, log_likelihood=by_component), **named)
    assert found.method == "stephens" and found.elpd_loo is None
    total = xr.Dataset({"total": (DIMS, density.sum(axis=(2, 3)))})
    assert diagnose(observed(posterior, log_likelihood=total), mu="alpha").elpd_loo is None
    stan = posterior.assign(log_lik=((*DIMS, "n"), tree["log_likelihood"]["y"].data))
    assert np.isfinite(diagnose(stan, mu="alpha").elpd_loo.elpd)


def test_components_that_are_variables_only():
    posterior = foreign.regression()[0]["posterior"].to_dataset()
    ones = {f"b{j}": ((*DIMS, "covariate"), posterior["beta"].data[:, :, j]) for j in (0, 1)}
    ones |= {f"s{j}": (DIMS, posterior["sigma"].data[:, :, j]) for j in (0, 1)}
    found = relabel_tree(xr.Dataset(ones), separate=[("b0", "b1"), ("s0", "s1")])
    relabelled(found)
    assert found.permuted == ("b0", "b1", "s0", "s1")


def test_every_permuted_variable_is_measured_however_large_another_is():
    posterior = regimes()
    wide = np.repeat(MU[:, :, None], 300, axis=2)
    posterior = posterior.assign(aaa=((*DIMS, "point", "regime"), wide))
    found = relabel_tree(posterior)
    table = found.effect.table
    assert set(table["variable"]) == set(found.permuted) and len(table) <= 200
    assert set(found.effect.by_variable["variable"]) == set(found.permuted)
    entries = table[table["variable"] == "aaa"]["entry"].astype(int)
    assert entries.min() == 0 and entries.max() == 299
