"""The evidence by number of components: against exact values, and what the table makes of it."""

import chance
import numpy as np
import pandas as pd
import pytest
from oracles import one_component, weighted_prior
from scipy import stats

from ordered_mix import fit
from ordered_mix.data import Data
from ordered_mix.draws.evidence import Evidence
from ordered_mix.fitted import evidence as by_components
from ordered_mix.fitted.evidence import evidence, with_evidence
from ordered_mix.mixture import Mixture
from ordered_mix.prior import default_prior
from ordered_mix.report.figures.components import criteria
from ordered_mix.samplers.smc import SMC

POINTS = Data([-1.2, -0.9, -1.1, -0.4, 1.0, 1.3, 0.8, 1.9])


def near(found, exact, error=0.0, comparisons=2):
    """Whether an estimate from islands is no surprise."""
    islands = SMC().islands
    limit = stats.t.isf(chance.alpha(comparisons) / 2, islands - 1)
    return abs(found.log_evidence - exact) < limit * np.hypot(found.standard_error, error)


@pytest.mark.chance
def test_the_evidence_is_that_of_quadrature_and_of_weighted_draws_of_the_prior():
    """One component under the fixed prior, two under the adaptive one."""
    fixed, adaptive = default_prior(POINTS, "fixed"), default_prior(POINTS)
    one = evidence(POINTS, fixed, 1, chance.seed(1))
    assert near(one, one_component(POINTS.y, fixed).log_evidence)
    exact = weighted_prior(POINTS.y, adaptive, 2, 2_000_000, chance.seed(2))
    two = evidence(POINTS, adaptive, 2, chance.seed(3))
    assert exact.error < 0.02 and two.standard_error < 0.3
    assert near(two, exact.log_evidence, exact.error)


def test_probabilities_take_every_number_as_equally_probable():
    table = pd.DataFrame({"components": [1, 2, 3], "bic": [3.0, 1.0, 2.0]})
    logs = {1: -1e5, 2: -1e5 + np.log(3), 3: -1e5 - 2000}
    found = with_evidence(table, {k: Evidence(v, 0.1, "m") for k, v in logs.items()})
    assert found["probability"].tolist() == pytest.approx([0.25, 0.75, 0.0])
    assert found["log_evidence"].tolist() == list(logs.values())
    assert found["bic"].tolist() == [3.0, 1.0, 2.0]
    part = with_evidence(table, {1: Evidence(-5.0, 0.1, "m")})
    assert part["probability"].isna().all() and part["log_evidence"].notna().sum() == 1


def test_particles_know_the_evidence_and_many_points_need_a_maximum(monkeypatch):
    prior = default_prior(POINTS)
    draws = SMC(particles=64, length=8).sample(
        by_components.catalog.parameterization("unordered", 2, prior), POINTS, seed=1
    )
    known = evidence(POINTS, prior, 2, draws=draws)
    assert known.log_evidence == draws.tree.attrs["log_evidence"]
    monkeypatch.setattr(by_components, "MOST_POINTS", 7)
    without = evidence(POINTS, prior, 2)
    assert np.isnan(without.log_evidence)
    assert without.warning == "EM has no maximum with K = 2 to begin at"


@pytest.mark.chance
def test_many_points_have_the_evidence_of_quadrature(monkeypatch):
    monkeypatch.setattr(by_components, "MOST_POINTS", 7)
    fixed, begin = default_prior(POINTS, "fixed"), Mixture([1.0], [0.2], [1.0])
    one, two = (
        evidence(POINTS, fixed, 1, chance.seed(4), begin=begin, cores=cores) for cores in (1, 2)
    )
    assert one == two and one.method == "bridge sampling" and one.warning == ""
    off = abs(one.log_evidence - one_component(POINTS.y, fixed).log_evidence)
    assert one.standard_error < 0.01 and off < chance.z_for(1, 1000) * one.standard_error


@pytest.mark.parametrize("components", ["1-2", "auto"])
def test_a_range_has_the_evidence_of_every_number(monkeypatch, components):
    small = SMC(particles=64)
    monkeypatch.setattr(by_components, "SMC", lambda cores: small)
    stages = []
    found = fit(POINTS, components, draws=300, tune=200, chains=2, cores=1, progress=stages.append)
    table = found.criteria
    assert table["components"].tolist() == ([1, 2] if components == "1-2" else [1, 2, 3, 4])
    assert table["log_evidence"].notna().all() and (table["log_evidence_se"] > 0).all()
    assert table["probability"].sum() == pytest.approx(1)
    assert "evidence, K = 2" in stages
    [verdict] = [verdict for verdict in found.verdicts if verdict.key == "components"]
    likely = int(table["components"][table["probability"].idxmax()])
    assert verdict.values["best"]["evidence"] == likely
    assert "The evidence gives K = " in verdict.reason


def test_the_figure_says_how_far_each_number_is_behind():
    """Half the difference of criteria on the deviance scale, the difference of log evidences."""
    table = pd.DataFrame({
        "components": [1, 2, 3], "bic": [120.0, 100.0, 104.0], "icl": [np.nan] * 3,
        "log_evidence": [-60.0, -49.0, -48.0], "log_evidence_se": [0.1, 0.1, 0.2],
    })  # fmt: skip
    drawing = criteria(table)
    assert "BIC: K = 1 10.00, K = 2 0.00, K = 3 2.00" in drawing.alt
    assert "evidence: K = 1 12.00, K = 2 1.00, K = 3 0.00" in drawing.alt
    assert "ICL" not in drawing.alt and "LOO" not in drawing.alt
    assert "<svg" in drawing.svg
