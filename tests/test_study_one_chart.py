"""One parameterization for NUTS: its smoke size, its effects on tables with known answers, and the shear."""

import itertools
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from inprocess import run_here

from ordered_mix.mixture import Mixture
from ordered_mix.parameterization.catalog import module, parameterization
from ordered_mix.study.result import StudyResult
from ordered_mix.theory.fisher import information

file = module("one_chart", "study")
CLAIMS = {claim.name: claim for claim in file.CLAIMS}


def world(holds=True, replicates=20, noise=0.02):
    """ESS per pass of which one parameterization has nearly the most everywhere, or none has."""
    rng = np.random.default_rng(3)
    cells = itertools.product(file.SEPARATIONS, [200], file.COORDINATES, range(replicates))
    table = pd.DataFrame(cells, columns=["separation", "n", "parameterization", "replicate"])
    name, apart = table["parameterization"], table["separation"] >= 4
    level = np.where(name == "sheared", 0.97, 0.6)
    level = np.where((name == "signed") & ~apart, 1.0, level)
    level = np.where((name == "centred") & apart, 1.0, level)
    level = np.where(name == "bent", 0.4, level)
    if not holds:
        level = np.where(name == "sheared", 0.5, level)
        level = np.where(name == "bent", 1.1, level)
    diverges = np.where((name == "sheared") | (not holds), 0.0 if holds else 5.0, 20.0)
    return table.assign(
        ess=200 * level * np.exp(noise * rng.normal(size=len(table))),
        passes=10_000,
        rhat=1.01,
        divergences_per_1000=diverges,
    )


@pytest.mark.parametrize("name", CLAIMS)
@pytest.mark.parametrize("holds", [True, False])
def test_every_claim_can_hold_and_fail(name, holds):
    verdict = CLAIMS[name].judge(world(holds))
    expected = "holds" if holds else "fails"
    if name == "one parameterization for NUTS" and not holds:
        expected = "holds"  # bent is then the best everywhere
    assert verdict.outcome == expected, verdict.reason
    assert np.isfinite(verdict.effect[:3]).all() and verdict.effect.observations == 20


def test_no_coordinates_is_near_where_each_is_best_somewhere():
    table = world()
    table.loc[(table["parameterization"] == "sheared") & (table["separation"] == 2), "ess"] *= 0.7
    verdict = CLAIMS["one parameterization for NUTS"].judge(table)
    assert verdict.outcome == "fails"
    assert file.leader(table) == "sheared"
    assert verdict.effect.estimate == pytest.approx(0.97 * 0.7, rel=0.03)
    text = file.findings(judged(table))
    assert text.startswith("No parameterization is within 10% of the best for NUTS")
    assert f"sheared, has {verdict.effect.estimate:.0%} [" in text
    assert "worst separation, 2." in text and "Largest mean by separation" in text


def test_noise_leaves_it_undecided():
    assert CLAIMS["one parameterization for NUTS"].judge(world(noise=0.3)).outcome == "undecided"


def test_shares_are_those_put_in():
    shares = file.shares(world(noise=0.0))
    assert shares.loc["signed"].to_dict() == pytest.approx(
        {0.0: 1, 0.5: 1, 1.0: 1, 2.0: 1, 4.0: 0.6, 8.0: 0.6}
    )
    assert file.diverging(world(noise=0.0))[:3] == (0.0, 0.0, 0.0)


def test_a_failed_run_is_not_dropped_in_silence():
    table = world()
    lost = (table["parameterization"] == "sheared") & (table["separation"] == 0.5)
    for claim in file.CLAIMS[:2]:
        verdict = claim.judge(table[~(lost & (table["replicate"] == 3))])
        assert verdict.outcome == "undecided" and "1 of 120 data sets" in verdict.reason


def judged(table):
    verdicts = tuple(claim.judge(table) for claim in file.CLAIMS)
    rows = table.assign(seed=1, status="done", error=None)
    return StudyResult(file.study, Path(), rows, verdicts)


@pytest.mark.parametrize("gap", [0.5, 1.0, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 8.0])
def test_the_shear_makes_location_and_weight_uncorrelated(gap):
    mixture = Mixture(np.array([0.5, 0.5]), np.array([-gap / 2, gap / 2]), np.ones(2))
    tangent = np.vstack([[1, 0, 0, 0, 0], [-1, 0, 0, 0, 0], np.eye(5)[1:]])
    covariance = np.linalg.inv(tangent.T @ information(mixture) @ tangent)
    wanted = (covariance[0, 1] + covariance[0, 2]) / 2 / (gap * covariance[0, 0])
    # the location off the midpoint, for a weight a little off 1/2
    found = parameterization("sheared", 2)
    off = Mixture(np.array([0.4, 0.6]), mixture.mu, mixture.sigma)
    location = found.free(found.unconstrain(off))[-1]
    assert location / (0.1 * gap) == pytest.approx(wanted, abs=0.02)


def test_options():
    with pytest.raises(ValueError, match="gap must be one of signed, bent, got 'square'"):
        parameterization("sheared", 2, gap="square")
    with pytest.raises(ValueError, match="reach must be positive, in units of the scale, got 0"):
        parameterization("sheared", 2, reach=0)
    bent = parameterization("sheared", 2, gap="bent", reach=math.inf)
    gap = np.array([0.01, 1.0, 30.0])
    mu = np.stack([-gap / 2, gap / 2], axis=-1)
    z = bent.unconstrain(Mixture(np.array([0.3, 0.7]), mu, np.ones(2)))
    np.testing.assert_allclose(z[:, -2], np.log(np.sqrt(2 + gap**2) - np.sqrt(2)), rtol=1e-9)
    np.testing.assert_allclose(z[:, -1], 0.2 * gap, rtol=1e-12)  # the mixture mean


def test_smoke(tmp_path):
    result = run_here(file.study, tmp_path)
    assert not len(result.failures) and len(result.table) == 8
    for verdict in result.verdicts:
        assert verdict.effect is None or np.isfinite(verdict.effect[:3]).all()
        assert verdict.effect or "no such runs" in verdict.reason
    assert "sheared centre" in file.findings(result)
