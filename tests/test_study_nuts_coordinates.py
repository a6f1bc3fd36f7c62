"""Coordinates of NUTS: the claims on tables with known answers, the grid, and the smoke size."""

import itertools

import numpy as np
import pandas as pd
import pytest
from inprocess import result_of, run_here

from ordered_mix.data import Data, shipped
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization.catalog import module, names, parameterization, split
from ordered_mix.prior import Prior
from ordered_mix.study.family import judge_one

file = module("nuts_coordinates", "study")
study = file.study
CLAIMS = {claim.name: claim for claim in study.claims}


# --- a world in which every claim holds, and one in which every claim fails -----------------------


def world(holds=True, replicates=20):
    """Tables in which all that differs between runs is known, up to a little noise."""
    drawn = itertools.product(
        file.SEPARATIONS, [50, 200], [0.5], file.SAMPLED, file.SAMPLERS, range(replicates)
    )
    names = ["separation", "n", "weight", "parameterization", "sampler", "replicate"]
    simulated = pd.DataFrame(drawn, columns=names)
    reference = simulated[["separation", "n", "weight", "replicate"]].drop_duplicates()
    rng = np.random.default_rng(5)
    simulated = simulated.assign(**measured(simulated, holds, rng))
    for quantity in file.QUANTITIES:
        signs = rng.choice([-1, 1], len(simulated))
        simulated[f"mean_{quantity}"] = 1 + 0.2 * (0.1 if holds else 0.7) * signs
        reference = reference.assign(**{f"mean_{quantity}": 1.0, f"sd_{quantity}": 0.2})
    return {"simulated": simulated, "reference": reference.assign(rhat=1.005)}


def measured(table, holds, rng):
    name, close = table["parameterization"], table["separation"] <= 1.5
    bounded, low_rank = name.isin(file.BOUNDED), table["sampler"] == file.LOW_RANK
    relative = name == (file.LOG if holds else "centred")
    ess = 200 * np.where(bounded & close, 0.5 if holds else 1.5, 1.0)
    ess = ess * np.where(~close & bounded, 0.8 if holds else 1.2, 1.0)
    ess = ess * np.where(~close & relative, 0.97 if holds else 0.5, 1.0)
    ess = ess * np.where(low_rank, 3.0 if holds else 1.2, 1.0)
    return {
        "ess": ess * np.exp(0.02 * rng.normal(size=len(table))),
        "rhat": 1.005,
        "passes": np.where((name == file.LOG) & (not holds), 15_000, 10_000),
        "gap_mass": 0.05,
        "divergent_gap_mass": np.where(bounded & close, 0.5 if holds else 0.0, np.nan),
        "divergences_per_1000": np.where(bounded & close, 10.0 if holds else 0.1, 0.0),
    }


@pytest.fixture(scope="module")
def tables():
    return {"holds": world(True), "fails": world(False)}


def judge(name, tables):
    return judge_one(CLAIMS[name], tables)


@pytest.mark.parametrize("name", list(CLAIMS))
@pytest.mark.parametrize("outcome", ["holds", "fails"])
def test_every_claim_can_hold_and_fail(tables, name, outcome):
    verdict = judge(name, tables[outcome])
    assert verdict.outcome == outcome, verdict.reason
    assert verdict.effect.observations > 1


def test_effects_are_the_numbers_put_in(tables):
    def effect(name):
        return judge(name, tables["holds"]).effect

    assert effect("log gaps lose where components overlap").estimate == pytest.approx(0.5, rel=0.03)
    assert effect("a low-rank mass matrix doubles the ESS").estimate == pytest.approx(3, rel=0.02)
    assert effect("log gaps diverge where components overlap")[:3] == pytest.approx((10, 10, 10))
    assert effect("divergences lie at gap -> 0").estimate == pytest.approx(0.45)
    assert effect("centred beats relative").estimate == pytest.approx(1 / 0.97, rel=0.01)


@pytest.mark.parametrize("name", ["ordered is relative", "log gaps lose where components overlap"])
def test_a_failed_run_is_not_dropped_in_silence(tables, name):
    table = tables["holds"]["simulated"]
    gone = (table["sampler"] == file.DIAGONAL) & (table["n"] == 200) & (table["replicate"] == 7)
    gone &= (table["separation"] == 1) & (table["parameterization"] == "ordered")
    verdict = judge(name, {**tables["holds"], "simulated": table[~gone]})
    assert verdict.outcome == "undecided"
    assert verdict.effect is None
    assert "have no" in verdict.reason or "are not" in verdict.reason


def test_an_error_counts_only_next_to_a_converged_reference(tables):
    simulated, reference = tables["fails"].values()
    assert file.errors(simulated, reference)["error"].to_numpy() == pytest.approx(0.7)
    reference = reference.assign(rhat=1.02)
    assert file.errors(simulated, reference).empty
    found = judge("agreeing chains are right", {"simulated": simulated, "reference": reference})
    assert found.outcome == "undecided"


def test_figures_draw_what_there_is(tables):
    some, none = result_of(study, tables["holds"]), result_of(study, {})
    for draw in study.figures.values():
        assert draw(some).axes and draw(none).axes


# --- cells ----------------------------------------------------------------------------------------


def test_data_are_shared_and_seeds_are_not():
    cells = study.cells("smoke")
    assert len({cell.seed for cell in cells}) == len(cells)
    one, two, other = (file.drawn(3.0, 50, 0.3, replicate) for replicate in (1, 1, 2))
    assert np.array_equal(one.y, two.y) and not np.array_equal(one.y, other.y)


def test_sizes_hold_what_the_question_names():
    cells = [cell.factors for cell in study.cells("laptop", experiments=["simulated"])]
    main = [c for c in cells if c["sampler"] == file.DIAGONAL]
    assert {c["parameterization"] for c in main} == set(file.SAMPLED)
    assert {split(label)[0] for label in file.SAMPLED} == set(names())
    assert len(main) == len(file.SAMPLED) * 9 * (3 * 3 * 5 + 15)
    real = study.cells("laptop", experiments=["real"])
    assert {cell.factors["data"] for cell in real} == set(shipped())
    six = {(c["parameterization"], c["separation"]) for c in cells if c["sampler"] == file.PYMC}
    assert len(six) == 6


def test_smoke(tmp_path):
    result = run_here(study, tmp_path)
    assert result.failures.empty
    sizes = {name: len(table) for name, table in result.tables.items()}
    assert sizes == {"simulated": 8, "reference": 1, "real": 4}
    for verdict in result.verdicts:
        assert verdict.effect is None or np.isfinite(verdict.effect[:3]).all()
    table = result.tables["simulated"]
    assert (table["ess"] > 4).all() and (table["passes"] > 2000).all()


def test_ordered_and_a_log_gap_are_one_geometry():
    ordered, relative = (parameterization(name, 2) for name in ("ordered", file.LOG))
    rng = np.random.default_rng(4)
    data = Data(rng.normal(size=30))
    mixtures = Mixture(
        rng.dirichlet([2, 2], 20),
        rng.normal(size=(20, 2)).cumsum(1) ** 2,
        rng.gamma(4, 0.2, (20, 2)),
    ).sorted()
    assert ordered.prior == relative.prior == Prior()
    first, second = (p.log_posterior(p.unconstrain(mixtures), data)[0] for p in (ordered, relative))
    np.testing.assert_allclose(first, second, rtol=1e-10)
    steps = [np.sort(p.unconstrain(mixtures), axis=-1) for p in (ordered, relative)]
    np.testing.assert_allclose(*steps, rtol=1e-10)
