"""Samplers that never lose: effects on tables of known answers, smoke size."""

import numpy as np
import pandas as pd
import pytest
from inprocess import result_of, run_here

from ordered_mix.mixture import Mixture
from ordered_mix.parameterization.catalog import module, parameterization
from ordered_mix.study.sentences import answer, findings

file = module("never_loses", "study")
CLAIMS = {claim.name: claim for claim in file.CLAIMS}
GIBBS, SIGNED, POOLED = "Gibbs", "signed", file.POOLED
SETS = 12


def world(holds=True):
    """A table of the laptop's settings, with 12 data sets each, in which every claim has one end.

    Where claims hold, ordered means lose in the overlap, less with a low-rank or dense mass matrix,
    pooled gaps have the most there and signed coordinates apart, and sorting cures switching.
    """
    cells = [
        cell.factors for cell in file.study.cells("laptop", {"replicate": range(SETS)}, [file.MAIN])
    ]
    table = pd.DataFrame([factors for factors in cells if file.skip(**factors) is None])
    name, fit = table["coordinates"], table["adaptation"]
    overlap, ordered = table["separation"] <= 2, name == "ordered"
    rng = np.random.default_rng(5)
    level = pd.Series(20.0, table.index)
    if holds:
        level[ordered & overlap] = np.where(fit[ordered & overlap] == "diagonal", 4.0, 9.0)
        level[(name == POOLED)] = np.where(overlap[name == POOLED], 60.0, 10.0)
        level[(name == SIGNED) & ~overlap] = 21.0
        level[(name == GIBBS) & ~overlap] = 60.0
        level[name == file.PILOT] = 58.0
    else:
        level[ordered & overlap] = np.where(fit[ordered & overlap] == "diagonal", 60.0, 30.0)
        level[name.isin([SIGNED, POOLED, file.POSITIVE, GIBBS, file.PILOT])] = 10.0
        level[name == "unordered"] = 21.0
    # where claims hold, ordered chains are stuck more often, else unordered ones, also once sorted
    stuck = ordered if holds else name == "unordered"
    late = np.where(overlap, table["replicate"] >= SETS // 2, table["replicate"] >= 3)
    rhat = np.where(stuck & late, 1.2, 1.001)
    ess = 1e3 * level * np.exp(0.02 * rng.normal(size=len(table)))
    return table.assign(
        ess=ess, invariant_ess=2 * ess, rhat=rhat, raw_rhat=np.where(overlap, 1.001, 1.5),
        passes=1_000_000, warmup_passes=10_000, converged_passes=20_000.0, seconds=10.0,
        divergences_per_1000=0.1 if holds else 7.0, visited=1.0 if holds else 0.5,
    )  # fmt: skip


@pytest.fixture(scope="module")
def good():
    return world()


def outcome(table, name):
    return CLAIMS[name].judge(table)


@pytest.mark.parametrize("prior", file.PRIORS)
def test_what_order_costs(good, prior):
    for adaptation in file.WORDS:
        found = outcome(good, f"order costs draws, {prior}, {adaptation}, equal weights")
        level = 4 if adaptation == "diagonal" else 9
        assert found.outcome == "holds"
        assert found.effect.estimate == pytest.approx(level / 20, rel=0.03)
        assert found.effect.observations == 3 * SETS // 2  # where both have converged
        lost = outcome(good, f"order costs convergence, {prior}, {adaptation}")
        assert lost.outcome == "holds" and lost.effect.estimate == pytest.approx(-0.5)
    assert outcome(good, f"order costs invariant draws, {prior}").outcome == "holds"


@pytest.mark.parametrize("adaptation", file.WORDS)
def test_what_the_mass_matrix_changes(good, adaptation):
    assert outcome(good, f"order costs passes, adaptive, {adaptation}").outcome == "holds"
    if adaptation != "diagonal":
        found = outcome(good, f"{adaptation} narrows the cost, adaptive")
        assert found.effect.estimate == pytest.approx(9 / 4, rel=0.03)


@pytest.mark.parametrize("words", file.SIZES)
def test_other_sizes_are_judged_by_the_runs_that_converge(good, words):
    found = outcome(good, f"order costs convergence, {words}")
    assert found.outcome == "holds" and found.effect.estimate == pytest.approx(-0.5)


def test_the_pilot_is_charged_with_its_sweeps():
    row = {"passes": 9000, "warmup_passes": 3000, "seconds": 9.0, "ess": 100.0, "late": None}
    assert file.rounded(row, "signed") == row
    found = file.rounded(row, file.PILOT)
    assert found == {**row, "passes": 10_000, "warmup_passes": 2000, "seconds": 10.0}


def test_who_never_loses(good):
    for name in ("one contender never loses", "the pilot pays", "pilot does not diverge"):
        assert outcome(good, name).outcome == "holds", name
    lost = outcome(good, f"{file.BEST} never loses")
    assert lost.outcome == "fails" and lost.effect.estimate == pytest.approx(1 / 6, rel=0.05)
    for prior in file.PRIORS:
        found = outcome(good, f"pooled gaps over {file.SIGNED}, {prior}, per pass")
        assert found.outcome == "holds" and found.effect.estimate == pytest.approx(3, rel=0.03)


def test_claims_fail_in_the_opposite_world():
    table = world(False)
    for prior in file.PRIORS:
        for adaptation in file.WORDS:
            name = f"order costs draws, {prior}, {adaptation}, equal weights"
            assert outcome(table, name).outcome == "fails"
            name = f"order costs convergence, {prior}, {adaptation}"
            assert outcome(table, name).outcome == "fails"
    for adaptation in ("low_rank", "dense"):
        assert outcome(table, f"{adaptation} narrows the cost, adaptive").outcome == "fails"
    for name in (f"{file.BEST} never loses", "the pilot pays", "pilot does not diverge"):
        assert outcome(table, name).outcome != "holds", name


def test_findings_say_what_the_table_holds(good):
    result = result_of(file.study, {file.MAIN: good})
    assert "One contender is within 10% of the best in every setting" in answer(result)
    assert "Where components overlap ordering costs: 20% [" in answer(result)
    assert "The pilot has up to 2.9" in findings(result)


def test_figures_show_who_loses(good):
    result = result_of(file.study, {file.MAIN: good})
    for draw in file.study.figures.values():
        figure = draw(result)
        assert sum(len(one.lines) + len(one.images) for one in figure.axes) > 0
    worst = file.contest(good).worst("log_rate", "log_speed")
    assert worst.index[0] == file.PILOT and worst.iloc[0, 0] == pytest.approx(58 / 60, rel=0.05)


def test_pooled_gaps_are_what_they_say():
    w, mu, sigma = np.array([0.2, 0.5, 0.3]), np.array([1.0, -2.0, 4.0]), np.array([0.5, 2.0, 1.0])
    found = parameterization(file.POOLED, 3)
    z = found.unconstrain(Mixture(w, mu, sigma))[2:]
    mean, unit = w @ mu, np.sqrt(w @ sigma**2)
    total = np.sqrt(w @ (sigma**2 + (mu - mean) ** 2))
    ratios = np.log(sigma[:2] / sigma[2])
    wanted = [mean, np.log(total), *(np.diff(mu) / unit), *ratios]
    assert np.sort(z) == pytest.approx(np.sort(wanted))


def test_smoke(tmp_path):
    result = run_here(file.study, tmp_path)
    assert not len(result.failures)
    table = result.tables[file.MAIN]
    assert len(table) == 6 and np.all(table["passes"] > 0) and np.all(table["ess"] > 1)
