"""Several numbers of components in one comparison, and particles where chains disagree."""

import chance
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from ordered_mix.compare import compare as stages
from ordered_mix.compare.compare import asked, compare
from ordered_mix.compare.several import Several, how_many, several
from ordered_mix.data import Data, simulate
from ordered_mix.draws.evidence import Evidence
from ordered_mix.files.results import ResultFolder
from ordered_mix.fitted import crossing
from ordered_mix.fitted import evidence as by_components
from ordered_mix.fitted.evidence import evidence
from ordered_mix.fitted.modes import modes_found
from ordered_mix.fitted.verdict import GOOD, UNDECIDED
from ordered_mix.mixture import Mixture
from ordered_mix.prior import default_prior
from ordered_mix.report import render
from ordered_mix.samplers.smc import SMC

TRUTH = Mixture([0.4, 0.6], [-2.0, 2.0], [1.0, 0.7])
SMALL = {"parameterizations": ("unordered",), "draws": 100, "tune": 200, "chains": 2}


def around(rng, mu, chains, draws):
    """Draws around a mixture of three components, their labels at random."""
    values = [rng.normal(one, 0.05, (chains, draws, 3)) for one in (mu, (1, 1, 1))]
    w = np.broadcast_to([0.2, 0.3, 0.5], (chains, draws, 3))
    labels = rng.permuted(np.tile([0, 1, 2], (chains, draws, 1)), axis=-1)
    return Mixture(w, *values).permute(labels)


def stacked(*parts, axis=0):
    fields = ("w", "mu", "sigma")
    return Mixture(*(np.concatenate([getattr(p, f) for p in parts], axis=axis) for f in fields))


@pytest.mark.chance
def test_chains_in_two_modes_have_the_weights_of_the_particles():
    rng, y = chance.rng(1), np.linspace(-6, 6, 50)
    one, other = (-4.0, 0.0, 4.0), (-4.0, -3.0, 2.0)
    chains = stacked(around(rng, one, 2, 300), around(rng, other, 1, 300), around(rng, one, 1, 300))
    particles = stacked(around(rng, one, 6, 140), around(rng, other, 6, 60), axis=1)
    heavy, light = modes_found(y, chains, particles)
    assert heavy.chains == (0, 1, 3) and light.chains == (2,)
    # a few particles are further out than any draw of the chains
    assert heavy.weight == pytest.approx(0.7, abs=0.02)
    assert light.weight == pytest.approx(0.3, abs=0.02)
    assert np.allclose(heavy.means, one, atol=0.05) and np.allclose(light.means, other, atol=0.05)


@pytest.mark.chance
def test_a_mode_that_no_chain_visited_is_in_no_mode():
    rng, y = chance.rng(2), np.linspace(-6, 6, 50)
    chains = around(rng, (-4.0, 0.0, 4.0), 3, 300)
    rest = around(rng, (-4.0, -3.0, 2.0), 4, 100)
    particles = stacked(around(rng, (-4.0, 0.0, 4.0), 4, 100), rest, axis=1)
    # what no chain visited has no normal approximation of its own
    found = modes_found(y, chains, particles)
    assert [mode.chains for mode in found] == [(0, 1, 2)]
    assert found[0].weight == pytest.approx(0.5, abs=0.05)


def table(probabilities, bic, loo):
    count = len(bic)
    return pd.DataFrame(
        {
            "components": range(1, count + 1), "log_likelihood": -1.0, "bic": bic, "sbic": bic,
            "icl": bic, "log_evidence": np.log(probabilities), "log_evidence_se": 0.1,
            "probability": probabilities, "probability_se": 0.01, "elpd_loo": loo,
            "elpd_loo_se": 1.0, "elpd_waic": loo, "elpd_waic_se": 1.0, "evidence_warning": "",
        }
    )  # fmt: skip


def test_the_answer_says_what_is_supported():
    sure = how_many(Several(table([0.01, 0.98, 0.01], [3.0, 1.0, 2.0], [1.0, 3.0, 2.0]), "uniform"))
    assert sure.status == GOOD
    assert sure.answer == "2; all others together have a probability of 2.0%."
    open_ = how_many(Several(table([1e-9, 0.6, 0.4], [3.0, 1.0, 2.0], [1.0, 2.0, 3.0]), "poisson"))
    assert open_.status == UNDECIDED
    assert open_.answer == "The data do not decide between 2 and 3; 2 is the most probable."
    assert "under a poisson prior over K" in open_.reason
    assert "K = 3 is the largest looked at" in open_.reason
    assert "evidence 2, LOO 3, WAIC 3, BIC 2" in open_.reason
    many = table([np.nan] * 3, [3.0, 1.0, 2.0], [np.nan] * 3)
    without = how_many(Several(many.assign(evidence_warning="no maximum"), "uniform"))
    assert without.status == UNDECIDED and without.answer == "2, by BIC."
    assert "Beware of the evidence: K = 1, no maximum; K = 2, no maximum; K" in without.reason
    some = table([0.01, 0.98, 0.01], [3.0, 1.0, 2.0], [1.0, 3.0, 2.0])
    doubted = how_many(Several(some.assign(evidence_warning=["", "", "they differ"]), "uniform"))
    assert doubted.status == UNDECIDED
    assert doubted.answer == "2, but not every evidence is to be trusted."
    assert doubted.reason.endswith("Beware of the evidence: K = 3, they differ.")


def test_criteria_of_every_number_of_the_range(monkeypatch):
    data = simulate(TRUTH, 60, seed=1)
    prior, small = default_prior(data), SMC(particles=64, islands=8, length=8)
    monkeypatch.setattr(by_components, "SMC", lambda cores: small)
    found = several(data, prior, 1, 3, prior_components="poisson")
    rows = found.table.set_index("components")
    assert rows.index.tolist() == [1, 2, 3] and not rows.isna().any(axis=None)
    again = evidence(data, prior, 2, 1, small.sample(_model(2, prior), data, seed=1))
    assert again == Evidence(rows["log_evidence"][2], rows["log_evidence_se"][2], again.method)
    mass = np.exp(rows["log_evidence"] - rows["log_evidence"].max()) * [1, 1, 0.5]
    assert rows["probability"].tolist() == pytest.approx((mass / mass.sum()).tolist())
    assert found.best == found.preferred["evidence"] == 2


@pytest.mark.chance
def test_many_points_have_the_evidence_of_chains(monkeypatch):
    data = simulate(TRUTH, 60, seed=1)
    prior, stages = default_prior(data), []
    particles = several(data, prior, 1, 2, seed=chance.seed(1)).table
    monkeypatch.setattr(by_components, "MOST_POINTS", 10)
    chains = several(data, prior, 1, 2, seed=chance.seed(2), progress=stages.append).table
    assert stages[1:] == ["bridge sampling, K = 1", "bridge sampling, K = 2"]
    assert (chains["evidence_warning"] == "").all() and (chains["log_evidence_se"] < 0.05).all()
    errors = np.hypot(chains["log_evidence_se"], particles["log_evidence_se"])
    off = (chains["log_evidence"] - particles["log_evidence"]).abs() / errors
    # the error of the particles is estimated from 16 islands
    assert (off < stats.t.isf(chance.alpha(2) / 2, 15)).all()
    assert (chains["elpd_loo"] - particles["elpd_loo"]).abs().max() < 0.5
    half_normal = several(data, default_prior(data, "half-normal"), 2, 2)
    assert half_normal.table["log_evidence"].isna().all()
    assert "must be conditionally conjugate for the evidence" in how_many(half_normal).reason


def _model(k, prior):
    from ordered_mix.parameterization import catalog

    return catalog.parameterization("unordered", k, prior)


def test_a_range_ends_in_a_comparison_of_the_most_probable_number():
    data = simulate(TRUTH, 60, seed=1)
    found = compare(data, components="1-2", estimators=("nuts",), **SMALL)
    assert found.settings.components == found.several.best == 2 and found.fewer_components is None
    keys = [verdict.key for verdict in found.verdicts]
    assert "components" in keys and "component" not in keys
    page = render(found)
    assert "How many components" in page and "--components 1-2" in page


def test_an_interrupted_run_takes_the_numbers_from_its_folder(tmp_path, monkeypatch):
    data = simulate(TRUTH, 40, seed=1)
    prior, settings = default_prior(data), asked("1-2")
    folder = ResultFolder(tmp_path / "new", stages.identity(data, settings, prior))
    folder.open()
    small = SMC(particles=64, islands=4, length=8)
    monkeypatch.setattr(by_components, "SMC", lambda cores: small)
    sampled = []

    def until(most):
        def progress(stage):
            sampled.append(stage)
            if "Monte Carlo" in stage and len(sampled) > most:
                raise KeyboardInterrupt

        return progress

    with pytest.raises(KeyboardInterrupt):
        stages._several(data, settings, prior, until(2), folder)
    assert sampled[1:] == [f"sequential Monte Carlo, K = {k}" for k in (1, 2)]
    sampled.clear()
    first = stages._several(data, settings, prior, until(9), folder)
    assert sampled[1:] == ["sequential Monte Carlo, K = 2"]
    monkeypatch.setattr(stages, "several", None)  # nothing is computed again
    again = stages._several(data, settings, prior, print, folder)
    pd.testing.assert_frame_equal(first.table, again.table)
    monkeypatch.undo()
    monkeypatch.setattr(by_components, "SMC", lambda cores: small)
    fresh = several(data, prior, 1, 2, seed=settings.seed)
    pd.testing.assert_frame_equal(first.table, fresh.table)


def test_particles_take_over_where_chains_disagree(monkeypatch):
    monkeypatch.setattr(stages, "disagree", lambda found: True)
    monkeypatch.setattr(crossing, "PARTICLES", 256)
    monkeypatch.setattr(crossing, "LENGTH", 8)
    data = simulate(TRUTH, 60, seed=1)
    found = compare(data, estimators=("nuts",), **SMALL)
    assert found.particles.estimator == "smc"
    assert "smc unordered" in found.table["label"].tolist()
    # chains that agree after all keep the answer, else the particles give it
    monkeypatch.setattr(type(found), "crossed", True)
    assert found.best is found.particles
    verdicts = {verdict.key: verdict for verdict in found.verdicts}
    assert verdicts["agree"].answer.startswith("No: they sat in different modes.") or (
        verdicts["agree"].status == "bad"
    )
    assert sum(verdicts["modes"].values["weights"]) > 0.9
    assert "nuts unordered (chains 1 and 2)" in verdicts["modes"].reason or (
        "nuts unordered (chain 1)" in verdicts["modes"].reason
    )
    assert "Which modes did the chains sit in?" in render(found)


def test_a_range_is_spelled_as_in_fit():
    assert asked("1-6").up_to == 6 and asked((2, 4)).components == 2
    assert asked("auto").up_to == 6 and asked("3").up_to is None
    with pytest.raises(ValueError, match="a range like 1-6, or auto, got 3-1"):
        asked("3-1")
    with pytest.raises(ValueError, match="prior_components must be one of uniform"):
        asked("1-3", prior_components="flat")
    with pytest.raises(ValueError, match="up_to must be at least components=3, got 2"):
        stages.Settings(components=3, up_to=2)
    few = Data([1.0, 2.0, 4.0, 8.0, 9.0])
    assert several_range(few) == (1, 2)


def several_range(data):
    settings = asked("1-6")
    found = stages._several(data, settings, default_prior(data), lambda stage: None)
    return found.range
