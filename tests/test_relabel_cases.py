"""Draws of mixtures of many families, each with what is right for it; see `foreign`."""

import json

import foreign
import numpy as np
import pytest
import xarray as xr

from ordered_mix.compare.diagnosis import diagnose
from ordered_mix.draws.elpd import loo
from ordered_mix.draws.relabel.tree import permute_tree, relabel_tree


def agree(values, truth, tolerance):
    """The mean of each chain is near the truth, components first."""
    means = np.asarray(values).mean(axis=1)
    np.testing.assert_allclose(means, np.broadcast_to(truth, means.shape), atol=tolerance)


def check(found, worst=1.05):
    """Chains agree after relabelling, no variable was harmed, and the record says what was done."""
    effect = found.effect
    assert effect.meaningful and effect.harm is None
    assert effect.worst("rhat", "after") < worst < effect.worst("rhat", "before")
    assert effect.worst("bimodality", "after") < 0.75 < effect.worst("bimodality", "before")
    assert json.loads(found.draws["relabelling"].attrs["permuted"]) == list(found.permuted)


@pytest.mark.parametrize("data", [True, False])
def test_regimes_at_one_place_are_told_apart_by_their_scales(data):
    found = relabel_tree(foreign.volatility(data), likelihood="normal" if data else None)
    check(found)
    assert found.method == ("stephens" if data else "separate")
    assert found.effect.by == "sigma"
    agree(found.draws["posterior"]["sigma"], [0.52, 1.67], 0.05)
    assert any("calm, wild of regime are labels only" in note for note in found.notes)


def test_sorting_by_means_that_coincide_keeps_the_raw_labels():
    tree = foreign.volatility()
    found = relabel_tree(tree, "sort_mu")
    assert found.method == "none"
    assert "makes the draws worse" in found.notes[-1]
    xr.testing.assert_identical(
        found.draws["posterior"].to_dataset(), tree["posterior"].to_dataset()
    )


def test_regressions_are_not_taken_for_normals():
    tree, density = foreign.regression()
    found = relabel_tree(tree, mu="alpha")
    check(found)
    assert found.method == "separate"
    assert found.check is not None and not found.check.good and found.check.value > 10
    agree(found.draws["posterior"]["beta"], [[-2, 1], [2, -1]], 0.03)
    for method in ("stephens", "ecr", "ecr_iterative_1", "ecr_iterative_2", "data_based"):
        with pytest.raises(ValueError, match=r"does not repeat the one stored .* pass respons"):
            relabel_tree(tree, method, mu="alpha")
    with_evidence = relabel_tree(tree, mu="alpha", log_likelihood=density)
    assert with_evidence.method == "stephens" and with_evidence.check.stored
    assert np.array_equal(with_evidence.permutation, found.permutation)


def test_regressions_without_a_stored_likelihood_are_not_taken_for_normals_either():
    tree, _ = foreign.regression(log_likelihood=False)
    found = relabel_tree(tree, mu="alpha")
    assert found.method == "separate" and not found.check.good and np.isnan(found.check.value)
    stated = relabel_tree(tree, mu="alpha", likelihood="normal")
    assert not stated.check.good and stated.check.value > 4
    assert stated.method == "separate" and "where about 1 is right" in stated.check.sentence
    with pytest.raises(ValueError, match=r"'stephens' needs a likelihood, .* about 1 is right"):
        relabel_tree(tree, "stephens", mu="alpha", likelihood="normal")


LIKELIHOOD_METHODS = ("stephens", "ecr", "ecr_iterative_1", "ecr_iterative_2", "data_based",
                      "data_based_running")  # fmt: skip


@pytest.mark.parametrize("sigma", ["sigma", 1.0])
def test_no_likelihood_is_used_that_is_neither_stored_nor_stated(sigma):
    """Scales that are sampled or known: what ordinary sampling without a log likelihood leaves."""
    tree = foreign.volatility() if sigma == "sigma" else foreign.separate()
    named = {} if sigma == "sigma" else {"mu": "mu_0,mu_1", "sigma": 1.0, "weights": None}
    found = diagnose(tree, **named)
    check(found.relabelled)
    assert found.method == "separate" and found.mixture is None and found.elpd_loo is None
    advice = r"pm.compute_log_likelihood\(draws\) .*, or pass likelihood='normal'"
    for method in LIKELIHOOD_METHODS:
        with pytest.raises(ValueError, match=rf"method '{method}' needs a likelihood, .*{advice}"):
            relabel_tree(tree, method, **named)
    answers = {verdict.key: verdict for verdict in found.verdicts}
    assert "likelihood='normal'" in answers["likelihood"].reason
    assert answers["criteria"].answer == "Not here: no log likelihood is known."
    stated = diagnose(tree, **named, likelihood="normal")
    assert stated.method == "stephens" and np.isfinite(stated.elpd_loo.elpd)
    assert np.array_equal(stated.relabelled.permutation, found.relabelled.permutation)


def test_a_likelihood_is_stated_in_one_way():
    tree, density = foreign.poisson()
    with pytest.raises(ValueError, match=r"likelihood must be 'normal' .* did you mean 'normal'"):
        relabel_tree(tree, likelihood="normals")
    with pytest.raises(ValueError, match="one of likelihood, responsibilities and log_likelihood"):
        relabel_tree(tree, parameters=["lam"], log_likelihood=density, likelihood="normal")


def test_a_normal_likelihood_needs_its_parameters():
    for named in ({"sigma": None}, {"sigma": None, "weights": None}):
        with pytest.raises(ValueError, match="likelihood='normal' needs means, scales and weights"):
            relabel_tree(foreign.volatility(), **named, likelihood="normal")
    with pytest.raises(ValueError, match="chol or cov beside means of several dimensions"):
        relabel_tree(foreign.multivariate(), sigma=None, dims="cluster", likelihood="normal")


def test_densities_given_by_component_are_not_taken_for_normal_ones():
    tree, density = foreign.regression()
    found = diagnose(tree, mu="alpha", log_likelihood=density)
    assert found.relabelled.check.good and found.mixture is None


def test_the_stored_likelihood_is_the_one_of_the_criteria():
    tree, _ = foreign.student()
    found = diagnose(tree)
    stored = tree["log_likelihood"]["y"].to_numpy()
    assert found.elpd_loo.elpd == pytest.approx(loo(stored).elpd)
    assert found.mixture is None
    answers = {verdict.question: verdict for verdict in found.verdicts}
    assert answers["Is the likelihood that of the draws?"].answer == "No: it is not used."
    assert "stored with the draws" in answers["Can WAIC and LOO be used?"].reason
    assert answers["Which variables were permuted?"].answer == "w, mu, sigma."


def test_counts():
    tree, density = foreign.poisson()
    for evidence in ({}, {"log_likelihood": density}):
        found = relabel_tree(tree, parameters=["lam"], dims="w_dim_0", **evidence)
        assert found.method == ("stephens" if evidence else "separate")
        check(found)
        assert set(found.permuted) == {"lam", "w"}
        agree(found.draws["posterior"]["lam"], [2, 9], 0.1)


@pytest.mark.parametrize("factor", ["chol", "cov", "packed"])
def test_normals_in_the_plane(factor):
    tree = foreign.multivariate()
    chol = tree["posterior"]["chol"]
    covariance = chol.to_numpy() @ np.swapaxes(chol.to_numpy(), -1, -2)
    tree["posterior"] = tree["posterior"].to_dataset().assign(cov=(chol.dims, covariance))
    ones = ("chol_0", "chol_1", "chol_2")
    named = {"packed": {"chol": ones}}.get(factor, {factor: factor, "separate": [ones]})
    found = relabel_tree(tree, dims=["cluster", "chol_dim_0"], **named)
    check(found)
    assert found.method == "stephens" and found.check.stored and found.check.value < 1e-9
    assert set(found.permuted) == {"w", "mu", "chol", *ones, "cov"}
    agree(np.sort(found.draws["posterior"]["mu"].to_numpy(), axis=2)[..., 0], [0, 0, 4], 0.2)
    other = relabel_tree(tree, "barycentre", dims=["cluster", "chol_dim_0"], **named)
    assert np.array_equal(other.permutation, found.permutation)
    agree(found.draws["posterior"]["chol_1"], [1, 0.5, 0.8], 0.05)


def test_a_coefficient_as_long_as_there_are_components_stays():
    tree = foreign.covariates()
    found = relabel_tree(tree, likelihood="normal")
    check(found)
    assert found.left_alone == ("beta",)
    assert found.draws["posterior"]["beta"].equals(tree["posterior"]["beta"])
    assert any(note.startswith("beta is left alone; if beta_dim_0") for note in found.notes)
    assert not found.check.good


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("method", [None, "ecr_iterative_1", "data_based", "separate"])
def test_a_scalar_weight_and_allocations_follow(first, method):
    tree = foreign.sampled_allocations(first=first)
    found = relabel_tree(
        tree, method, mu="centers", sigma="sds", weights="p", allocations="assignment"
    )
    check(found)
    posterior = found.draws["posterior"]
    agree(posterior["p"], 0.36, 0.02)
    agree(posterior["centers"], [54.6, 80.0], 0.3)
    low = tree["observed_data"]["y"].to_numpy() < 67.5
    shares = (posterior["assignment"].to_numpy() == first).mean(axis=(0, 1))
    assert np.all(shares[low] > 0.9) and np.all(shares[~low] < 0.1)
    assert posterior["assignment"].dtype == tree["posterior"]["assignment"].dtype
    raw = tree["posterior"]["p"]
    kept = (found.permutation[..., 0] == 0).to_numpy()
    assert np.array_equal(posterior["p"].to_numpy()[kept], raw.to_numpy()[kept])


def test_precisions():
    found = relabel_tree(foreign.precision(), tau="tau")
    check(found)
    assert found.check.stored and found.check.value < 1e-9
    with pytest.raises(ValueError, match="does not repeat the one stored"):
        relabel_tree(foreign.precision(), "stephens", sigma="tau")
    with pytest.raises(ValueError, match="one of sigma, tau, chol and cov must be given"):
        relabel_tree(foreign.precision(), sigma="mu", tau="tau")


@pytest.mark.parametrize(
    ("sigma", "weights"), [(1.0, [0.5, 0.5]), ("1.0", "0.5,0.5"), ([1.0, 1.0], None)]
)
def test_separate_scalars_with_known_scale_and_weights(sigma, weights):
    for mu in (["mu_0", "mu_1"], "mu_0,mu_1"):
        found = relabel_tree(
            foreign.separate(), mu=mu, sigma=sigma, weights=weights, likelihood="normal"
        )
        check(found)
        assert found.method == "stephens" and found.permuted == ("mu_0", "mu_1")
        agree(found.draws["posterior"]["mu_0"], -1.5, 0.1)


def test_known_unequal_scales_are_labels():
    with pytest.raises(ValueError, match="sigma is fixed at the unequal values"):
        relabel_tree(foreign.separate(), mu="mu_0,mu_1", sigma=[1.0, 2.0], weights=None)


@pytest.mark.parametrize("digits", [6, None])
def test_weights_that_add_up_to_one_nearly(digits):
    tree = foreign.volatility()
    w = tree["posterior"]["w"].to_numpy()
    rounded = np.vectorize(lambda x: float(f"{x:.6g}"))(w) if digits else w.astype(np.float32)
    posterior = tree["posterior"].to_dataset()
    posterior["w"] = (posterior["w"].dims, rounded)
    tree["posterior"] = posterior
    found = relabel_tree(tree)
    check(found)
    assert found.draws["posterior"]["w"].dtype == rounded.dtype
    np.testing.assert_allclose(found.known.w.sum(axis=-1), 1, rtol=1e-14)
    posterior["w"] = posterior["w"] * (1 + 1e-4)
    tree["posterior"] = posterior
    assert any("divided by its sums" in note for note in relabel_tree(tree).notes)
    posterior["w"] = posterior["w"] * 1.01
    tree["posterior"] = posterior
    with pytest.raises(ValueError, match=r"w must hold .* add up to 1 .* sums from 1\.01"):
        relabel_tree(tree)


def test_both_axes_of_a_transition_matrix():
    tree = foreign.hidden_markov()
    named = {"mu": "level", "sigma": "noise", "weights": None, "allocations": "z"}
    with pytest.raises(ValueError, match=r"dims must say which .* P .* dims=\['state', 'state_to'"):
        relabel_tree(tree, **named)
    found = relabel_tree(tree, **named, dims=["state", "state_to"])
    check(found)
    assert found.method == "ecr_iterative_1"
    posterior = found.draws["posterior"]
    agree(posterior["P"][..., 1, :], [0.2, 0.7, 0.1], 0.03)
    np.testing.assert_allclose(posterior["P"].sum("state_to"), 1)
    before = tree["posterior"]
    np.testing.assert_array_equal(
        np.take_along_axis(posterior["level"].to_numpy(), posterior["z"].to_numpy(), -1),
        np.take_along_axis(before["level"].to_numpy(), before["z"].to_numpy(), -1),
    )


def test_latent_classes():
    found = relabel_tree(foreign.latent_class(), parameters=["item", "share"], responsibilities="p")
    check(found)
    assert found.method == "stephens" and found.permuted == ("share", "item", "p")
    by = relabel_tree(
        foreign.latent_class(), parameters=["item", "share"], responsibilities="p", order="share"
    )
    agree(by.draws["posterior"]["share"], [0.4, 0.6], 0.02)


@pytest.mark.parametrize("likelihood", ["normal", None])
def test_components_in_any_labels_among_nearly_empty_ones(likelihood):
    tree, rng = foreign.dirichlet_process(), np.random.default_rng(0)
    tree["posterior"] = tree["posterior"].to_dataset().drop_vars("v")
    orders = np.stack([rng.permutation(20) for _ in range(foreign.CHAINS)])
    shuffled = permute_tree(tree, np.repeat(orders[:, None], foreign.DRAWS, 1), "component")
    found = relabel_tree(shuffled, likelihood=likelihood)
    assert found.effect.nearly_empty == 17 and found.effect.separation > 20
    assert np.mean(found.effect.margin < 1) == 0
    agree(found.draws["posterior"]["mu"][..., found.effect.judged], [-5, 0, 5], 0.1)


def test_nearly_empty_components_do_not_dominate():
    tree = foreign.dirichlet_process()
    found = relabel_tree(tree, likelihood="normal")
    assert found.effect.nearly_empty == 17 and found.effect.meaningful
    assert found.effect.worst("rhat", "after") < 1.05
    assert "v" in found.left_alone
    assert "stick-breaking fractions" in found.notes[0]
    diagnosed = diagnose(tree)
    assert diagnosed.switching.switching_rate == 0
    assert diagnosed.worst("rhat", "relabelled") < 1.05


def test_components_within_groups():
    found = relabel_tree(foreign.hierarchical(), sigma=None)
    check(found)
    assert found.left_alone == ("tau",)
    agree(found.draws["posterior"]["mu"][:, :, 2], [0, 5], 0.1)


def test_labels_that_mean_nothing():
    rng = np.random.default_rng(0)
    shape = (4, 200, 2)
    posterior = {
        "mu": ((*foreign.DIMS, "k"), rng.normal(size=shape)),
        "sigma": ((*foreign.DIMS, "k"), np.exp(0.1 * rng.normal(size=shape))),
        "w": ((*foreign.DIMS, "k"), rng.dirichlet([5, 5], size=shape[:2])),
    }
    found = diagnose(foreign.tree(posterior))
    assert not found.relabelled.meaningful
    answer = next(one for one in found.verdicts if one.question.startswith("Do the labels")).answer
    assert answer == "Labels mean nothing here: report what does not depend on them."


def test_chains_in_different_modes_are_not_called_label_switching():
    tree = foreign.precision()
    posterior = tree["posterior"].to_dataset().copy(deep=True)
    posterior["mu"][0] += 15.0
    found = diagnose(xr.Dataset(posterior.data_vars), tau="tau")
    assert found.relabelled.effect.within_chains
    answers = {verdict.question: verdict.answer for verdict in found.verdicts}
    assert answers["Have the chains converged, labels aside?"].startswith("No")
    answer = answers["Do the labels switch, and which draws should be reported?"]
    assert answer == "Yes, and no relabelling repairs these chains."


@pytest.mark.parametrize("draws", [8, 60])
def test_one_chain_gets_what_one_chain_can_have(draws):
    tree = foreign.volatility(data=draws > 25).isel(chain=[0], draw=slice(draws))
    found = diagnose(tree, likelihood="normal")
    assert np.isfinite(found.worst("rhat", "relabelled")) and found.arviz is None
    assert np.isnan(found.switching.chain_disagreement)
    assert "One chain" in found.verdicts[0].reason
    assert (found.elpd_loo is not None) == (draws > 25)


def forms():
    tree = foreign.volatility()
    posterior = tree["posterior"].to_dataset().assign_coords(
        chain=np.arange(4), draw=np.arange(foreign.DRAWS)
    )  # fmt: skip
    stacked = posterior.stack(sample=foreign.DIMS)
    renamed = posterior.rename(chain="run", draw="step")
    yield "tree", xr.DataTree.from_dict({"posterior": posterior}), {}
    yield "dataset", posterior, {}
    yield "stacked", stacked, {}
    yield "renamed", renamed, {"sample_dims": ("run", "step")}

    class InferenceData:
        posterior = stacked

        def groups(self):
            return ["posterior"]

        def __getitem__(self, name):
            return tree[name].to_dataset()

    yield "inference data", InferenceData(), {}


@pytest.mark.parametrize(("draws", "named"), [form[1:] for form in forms()],
                         ids=[form[0] for form in forms()])  # fmt: skip
def test_draws_may_come_in_many_forms(draws, named):
    found = relabel_tree(draws, **named)
    expected = relabel_tree(foreign.volatility(data=False))
    assert np.array_equal(found.permutation, expected.permutation)
    after = found.draws["posterior"]["sigma"].transpose(*foreign.DIMS, ...)
    np.testing.assert_array_equal(after, expected.draws["posterior"]["sigma"])


def test_samples_without_chains_are_one_chain():
    posterior = foreign.volatility()["posterior"].to_dataset().isel(chain=0)
    plain = posterior.rename(draw="sample")
    assert relabel_tree(plain).permutation.shape == (1, foreign.DRAWS, 2)
    assert relabel_tree(posterior).permutation.shape == (1, foreign.DRAWS, 2)


def test_warm_up_is_named_as_left_and_other_groups_follow():
    tree = foreign.volatility(data=False)
    posterior = tree["posterior"].to_dataset()
    tree["warmup_posterior"] = xr.DataTree(posterior)
    tree["posterior_predictive"] = xr.DataTree(posterior[["mu"]])
    found = relabel_tree(tree)
    assert "warmup_posterior" in found.left_alone
    xr.testing.assert_identical(found.draws["warmup_posterior"].to_dataset(), posterior)
    after = found.draws["posterior_predictive"]["mu"]
    assert after.equals(found.draws["posterior"]["mu"])


def test_the_record_survives_a_file(tmp_path):
    found = relabel_tree(foreign.volatility(), likelihood="normal")
    found.draws.to_netcdf(tmp_path / "relabelled.nc", engine="h5netcdf")
    with xr.open_datatree(tmp_path / "relabelled.nc", engine="h5netcdf") as read:
        record = read["relabelling"]
        assert record.attrs["method"] == "stephens"
        np.testing.assert_array_equal(record["permutation"], found.permutation)
        assert json.loads(record.attrs["permuted"]) == ["w", "mu", "sigma"]


def test_sampled_labels_carry_their_uncertainty():
    rng = np.random.default_rng(3)
    labels = foreign.labels_of(2, draws=400)
    posterior = {
        "w": ((*foreign.DIMS, "k"), foreign.weights_around([0.5, 0.5], rng, labels)),
        "mu": ((*foreign.DIMS, "k"), foreign.around([-1, 1], 0.8, rng, labels)),
        "sigma": ((*foreign.DIMS, "k"), np.exp(foreign.around([0, 0], 0.1, rng, labels))),
    }
    found = relabel_tree(foreign.tree(posterior))
    one, many = found.draws["posterior"], found.sampled(seed=1)["posterior"]
    assert float(many["mu"].var()) == pytest.approx(float(one["mu"].var()))
    assert float(many["mu"][..., 0].std()) > float(one["mu"][..., 0].std())
    np.testing.assert_array_equal(np.sort(many["mu"]), np.sort(one["mu"]))
    apart = relabel_tree(foreign.volatility())
    assert apart.sampled()["posterior"]["sigma"].equals(apart.draws["posterior"]["sigma"])
