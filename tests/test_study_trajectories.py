"""The study of trajectories: printed and derived updates, effects on constructed tables."""

import numpy as np
import pandas as pd
import pytest
from inprocess import run_here

from ordered_mix.data import Data, simulate
from ordered_mix.engine.run import load_study
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization import catalog
from ordered_mix.study.grid import seed_of

MODULE = catalog.module("trajectories", "study")
CLAIMS = {claim.name: claim for claim in MODULE.CLAIMS}
TRUTH = MODULE.TRUTH
START = np.array([-2.5, 2.0])


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    return run_here(load_study("trajectories"), tmp_path_factory.mktemp("trajectories"))


@pytest.fixture(scope="module")
def verdicts(result):
    return {verdict.claim.name: verdict for verdict in result.verdicts}


def sample(replicate):
    return simulate(TRUTH, 200, seed_of("test", replicate=replicate))


def test_every_cell_is_done_and_every_claim_has_a_finite_interval(result, verdicts):
    assert not len(result.failures) and not len(result.skipped)
    assert len(verdicts) == len(MODULE.CLAIMS)
    assert all(np.isfinite(verdict.effect[:3]).all() for verdict in verdicts.values())


def test_verdicts_at_smoke_size(verdicts):
    outcomes = {name: verdict.outcome for name, verdict in verdicts.items()}
    for name in ("fewer iterations", "nearer to the truth", "nearer to the maximum",
                 "faster on most data", "Algorithm 1 finds the maximum",
                 "printed updates move with the data"):  # fmt: skip
        assert outcomes[name] == "fails", name
    for name in ("Appendix B looks faster", "derived updates move with the data"):
        assert outcomes[name] == "holds", name


# --- the protocol of the figure -------------------------------------------------------------------


def test_medians_of_iterations_on_forty_data_sets():
    rows = []
    for replicate in range(40):
        data = sample(replicate)
        sweeps = [len(MODULE.follow(name, data, START).mu) - 1 for name in ("em", "ecm")]
        rows.append(sweeps)
    em, ecm = np.array(rows).T
    assert 70 < np.median(em) < 120 and 140 < np.median(ecm) < 230
    assert 1.8 <= np.median(ecm / em) <= 2.2
    assert (ecm > em).all()


def test_derived_sweep_is_the_formula():
    data = sample(0)
    z2 = Mixture(TRUTH.w, START, TRUTH.sigma).responsibilities(data.y)[:, 1]
    gap = START[1] - START[0]
    first = data.y.mean() - gap * z2.mean()
    second = max(first, z2 @ data.y / z2.sum())
    path = MODULE.follow("ecm", data, START)
    assert path.mu[1] == pytest.approx([first, second], abs=1e-12)
    assert np.diff(path.log_likelihood).min() > -1e-9


def test_printed_sweeps_are_the_printed_formulas():
    data = Data(np.array([-6.0, -5.0, -4.5]))
    z1, z2 = Mixture(TRUTH.w, START, TRUTH.sigma).responsibilities(data.y).T
    x, gap = data.y, 4.5
    one = (np.sum(z1 * x * gap) + np.sum(z1) + np.sum(z2 * x)) / 3
    two = (np.sum(z1 * x * gap) + np.sum(z1 * x) + np.sum(z2 * x)) / 3
    for name, first in (("as in Algorithm 1", one), ("as in Appendix B", two)):
        found = MODULE.printed_sweep(name, data, START)
        assert found == pytest.approx([first, np.sum(z2 * x) / np.sum(z2)], abs=1e-12)


@pytest.mark.parametrize("replicate", range(4))
def test_appendix_b_jumps_to_the_sample_mean(replicate):
    data = sample(replicate)
    path = MODULE.follow("as in Appendix B", data, START)
    assert len(path.mu) - 1 <= 3
    assert path.mu[-1] == pytest.approx([data.y.mean()] * 2, abs=1e-6)
    merged = float(Mixture(TRUTH.w, path.mu[-1], TRUTH.sigma).log_density(data.y).sum())
    _, top = MODULE._best(data)
    # the merged point is the maximum only if the variance is at most 1
    assert (top - merged > 1e-3) == (data.y.var() > 1.01)


@pytest.mark.parametrize("replicate", range(4))
def test_algorithm_1_goes_to_and_fro_between_two_points(replicate):
    data = sample(replicate)
    path = MODULE.follow("as in Algorithm 1", data, START)
    assert not path.settled
    end = path.mu[-1]
    for sweep in range(200):
        end = MODULE.printed_sweep("as in Algorithm 1", data, end)
        assert end == pytest.approx(path.mu[-2 + sweep % 2], abs=1e-9)
    assert np.abs(path.mu[-1] - path.mu[-2]).max() > 1


def test_a_cycle_of_two_goes_on_at_the_later_checkpoints():
    rows = pd.DataFrame(MODULE.path_cell(0, 0))
    rows = rows[rows["algorithm"] == "as in Algorithm 1"].set_index("sweep")["mu1"]
    path = MODULE.follow("as in Algorithm 1", MODULE.data_of(0), START)
    last = len(path.mu) - 1
    for sweep in (160, 240, 320):
        assert rows[sweep] == path.mu[last - (sweep - last) % 2, 0]


def test_paths_and_ends_are_of_the_same_data(result):
    path = result.tables["path"]
    last = path[path["sweep"] == 320]
    ends = result.tables["ends"].set_index(["replicate", "algorithm"])
    for row in last.itertuples():
        end = ends.loc[(row.replicate, row.algorithm)]
        if end["sweeps"] <= 320:
            assert row.missing == pytest.approx(end["missing"], abs=1e-9)


# --- effects on constructed tables ----------------------------------------------------------------


def ends(sweeps, **columns):
    """Ten data sets on which every algorithm takes a multiple of the sweeps of EM."""
    rows = []
    for replicate in range(10):
        for name in MODULE.ALGORITHMS:
            scale = sweeps.get(name, 1.0)
            row = {"replicate": replicate, "algorithm": name, "settled": True}
            row |= {"sweeps": scale * (80 + replicate), "early_to_truth": scale, "monotone": True}
            row |= {"early_to_best": scale, "missing": 0.0, "shift_error": 0.0}
            rows.append(row | columns)
    return pd.DataFrame(rows)


@pytest.mark.parametrize(("scale", "outcome"), [(0.5, "holds"), (2.0, "fails")])
def test_sweeps_and_distances_are_compared_by_data_set(scale, outcome):
    table = ends({"ecm": scale, "as in Appendix B": scale})
    for name in ("fewer iterations", "nearer to the truth", "nearer to the maximum",
                 "Appendix B looks faster", "Appendix B nearer to the truth"):  # fmt: skip
        verdict = CLAIMS[name].judge(table)
        assert verdict.outcome == outcome
        assert verdict.effect.estimate == pytest.approx(scale)
    assert CLAIMS["faster on most data"].judge(table).effect.estimate == (scale < 1)
    twofold = CLAIMS["twice the iterations"].judge(table)
    assert twofold.outcome == ("holds" if scale == 2 else "fails")
    assert twofold.effect.estimate == pytest.approx(scale - 2)


@pytest.mark.parametrize(("good", "outcome"), [(True, "holds"), (False, "fails")])
def test_shares_and_equivariance(good, outcome):
    parts = [ends({}) for _ in range(10)]
    table = pd.concat(parts, ignore_index=True)
    table["replicate"] += 10 * np.repeat(range(10), len(parts[0]))
    table["missing"] = 0.0 if good else 1.0
    table["monotone"] = good
    table["settled"] = good
    table["shift_error"] = 0.0 if good else 1.0
    for name in (
        "Appendix B finds the maximum",
        "Algorithm 1 finds the maximum",
        "Algorithm 1 settles",
        "derived updates find the maximum",
        "Appendix B never loses likelihood",
        "printed updates move with the data",
        "derived updates move with the data",
    ):
        assert CLAIMS[name].judge(table).outcome == outcome, name


def test_an_incomplete_or_unsettled_table_is_not_compared():
    table = ends({"ecm": 0.5})
    verdict = CLAIMS["fewer iterations"].judge(table.iloc[:-1])
    assert verdict.outcome == "undecided" and "every data set" in verdict.reason
    table["settled"] = table["replicate"] > 0
    verdict = CLAIMS["fewer iterations"].judge(table)
    assert verdict.outcome == "undecided" and "2 runs have not settled" in verdict.reason
