"""Coordinates of NUTS: the claims on tables with known answers, the grid, and the smoke size."""

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
OVERLAP = "log gaps lose where components overlap, adaptive, diagonal"


# --- a world in which every claim holds, and one in which every claim fails -----------------------


def world(holds=True):
    """Tables of the laptop's cells in which all that differs between runs is known, but noise."""
    rng, found = np.random.default_rng(5), {}
    for name in ("simulated", "reference", "real"):
        cells = [cell.factors for cell in study.cells("laptop", experiments=[name])]
        found[name] = pd.DataFrame(cells)
    simulated, reference = found["simulated"], found["reference"]
    close = simulated["separation"] <= 1.5
    simulated = simulated.assign(**measured(simulated, close, holds, rng))
    for quantity in file.QUANTITIES:
        signs = rng.choice([-1, 1], len(simulated))
        simulated[f"mean_{quantity}"] = 1 + 0.2 * (0.1 if holds else 0.7) * signs
        reference = reference.assign(**{f"mean_{quantity}": 1.0, f"std_{quantity}": 0.2})
    real = found["real"].assign(**measured(found["real"], True, holds, rng))
    return {"simulated": simulated, "reference": reference.assign(rhat=1.005), "real": real}


def measured(table, close, holds, rng):
    name, sampler = table["coordinates"], table["sampler"]
    bounded, dense = name.isin(file.BOUNDED), sampler.isin([file.LOW_RANK, file.DENSE])
    relative = name == (file.LOG if holds else "centred")
    ess = 200 * np.where(bounded & close, 0.5 if holds else 1.5, 1.0)
    ess = ess * np.where(~np.asarray(close) & relative, 0.97 if holds else 0.5, 1.0)
    ess = ess * np.where(dense, 3.0 if holds else 0.8, 1.0)
    late = (sampler == file.PYMC) & (name == ("ordered" if holds else "unordered"))
    return {
        "ess": ess * np.exp(0.02 * rng.normal(size=len(table))),
        "rhat": np.where(late, 1.2, 1.005),
        "passes": np.where((name == file.LOG) & (not holds), 15_000, 10_000),
        "gap_mass": 0.05,
        "divergent_gap_mass": np.where(bounded & close, 0.5 if holds else 0.0, np.nan),
        "divergences_per_1000": np.where(bounded & close, 10.0 if holds else 0.1, 0.0),
        **dict.fromkeys(("warmup_passes", "converged_passes", "invariant_ess", "seconds"), 10.0),
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

    diverging = "log gaps diverge where components overlap, fixed, diagonal, target 0.95"
    assert effect(OVERLAP).estimate == pytest.approx(0.5, rel=0.03)
    assert effect("a dense mass matrix pays, adaptive").estimate == pytest.approx(3, rel=0.02)
    assert effect(diverging)[:3] == pytest.approx((10, 10, 10))
    assert effect("divergences lie at gap -> 0").estimate == pytest.approx(0.45)
    centred = effect("centred beats relative, fixed, diagonal")
    assert centred.estimate == pytest.approx(1 / 0.97, rel=0.01)
    alike = effect("centred is as good as relative, fixed, dense")
    assert alike.estimate == pytest.approx(-np.log(0.97), abs=0.01)


def test_runs_that_do_not_converge_are_compared_nowhere(tables):
    table = tables["holds"]["simulated"].copy()
    stuck = (table["coordinates"] == "centred") & (table["replicate"] >= 10)
    table.loc[stuck, ["rhat", "ess"]] = 1.2, 1e6
    verdict = judge(OVERLAP, {**tables["holds"], "simulated": table})
    assert verdict.outcome == "holds"
    assert verdict.effect.estimate == pytest.approx(0.5, rel=0.03)
    assert verdict.effect.observations == 20
    one, other = (file.contest(table, prior="fixed", sampler="dense").converging().loc[name]
                  for name in ("centred", "ordered"))  # fmt: skip
    assert (one == 1 / 2).all() and (other == 1).all()


def test_too_few_that_converge_are_said(tables):
    table = tables["holds"]["simulated"].copy()
    table.loc[(table["coordinates"] == "centred") & (table["replicate"] > 0), "rhat"] = 1.2
    table = table[table["separation"] != 8]
    verdict = judge("centred beats relative, fixed, diagonal", {"simulated": table})
    assert verdict.outcome == "undecided" and verdict.effect is None
    assert "centred and relative(link=log) both converge on 1 of 20 data sets" in verdict.reason


def test_an_error_counts_only_next_to_a_converged_reference(tables):
    simulated, reference = tables["fails"]["simulated"], tables["fails"]["reference"]
    assert file.errors(simulated, reference)["error"].to_numpy() == pytest.approx(0.7)
    reference = reference.assign(rhat=1.02)
    assert file.errors(simulated, reference).empty
    found = judge(
        "converged chains are right, fixed", {"simulated": simulated, "reference": reference}
    )
    assert found.outcome == "undecided"


def test_figures_draw_what_there_is(tables):
    some, none = result_of(study, tables["holds"]), result_of(study, {})
    for draw in study.figures.values():
        assert draw(some).axes and draw(none).axes


# --- cells ----------------------------------------------------------------------------------------


def test_data_are_shared_and_seeds_are_not():
    cells = study.cells("smoke")
    assert len({cell.seed for cell in cells}) == len(cells)
    one, two, other = (file.drawn(3.0, replicate) for replicate in (1, 1, 2))
    assert np.array_equal(one.y, two.y) and not np.array_equal(one.y, other.y)


def test_sizes_hold_what_the_question_names():
    cells = [cell.factors for cell in study.cells("laptop", experiments=["simulated"])]
    assert {c["coordinates"] for c in cells} == set(file.MAIN + file.OTHERS)
    assert {split(label)[0] for label in file.MAIN + file.OTHERS} == set(names())
    claimed = [c for c in cells if c["coordinates"] in file.MAIN and c["sampler"] in file.MATRICES]
    each = [sum(c["sampler"] == name for c in claimed) for name in file.MATRICES]
    assert each == [4 * 2 * 2 * (30 + 20), 4 * 4 * 20, 4 * 2 * 4 * 20]
    assert sum(c["sampler"] == file.PYMC for c in cells) == 2 * 12
    real = [cell.factors for cell in study.cells("laptop", experiments=["real"])]
    assert {c["data"] for c in real} == set(shipped())
    assert {c["replicate"] for c in real} == set(range(10))


def test_smoke(tmp_path):
    result = run_here(study, tmp_path)
    assert result.failures.empty
    sizes = {name: len(table) for name, table in result.tables.items()}
    assert sizes == {"simulated": 8, "reference": 1, "real": 4}
    for verdict in result.verdicts:
        assert verdict.effect is None or np.isfinite(verdict.effect[:3]).all()
    table = result.tables["simulated"]
    assert (table["ess"] > 4).all() and (table["passes"] > 8000).all()


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
