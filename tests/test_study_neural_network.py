"""The study of a neural network: reference values, effects on constructed tables, words."""

import numpy as np
import pandas as pd
import pytest
from inprocess import result_of, run_here

from ordered_mix.parameterization import catalog
from ordered_mix.study.sentences import sentences
from ordered_mix.theory.network import response

MODULE = catalog.module("neural_network", "study")
CLAIMS = {claim.name: claim for claim in MODULE.CLAIMS}
EXPANDED = ("exponents carry over", "squared gap has no plateau", "loss is quartic in the gap")
COORDINATES_OF = {
    "plateaus shorter, free gap": "relative",
    "plateaus shorter, square": "relative square",
    "plateaus shorter, clearance": "relative clearance",
    "plateaus shorter from overlap": "relative square",
    "plateaus shorter, squared gap": "resolved",
}


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    return run_here(MODULE.study, tmp_path_factory.mktemp("network"))


@pytest.fixture(scope="module")
def verdicts(result):
    return {verdict.claim.name: verdict for verdict in result.verdicts}


def test_every_cell_is_done_and_every_claim_has_a_finite_interval(result, verdicts):
    assert not len(result.failures) and not len(result.skipped)
    assert len(verdicts) == len(MODULE.CLAIMS)
    assert all(np.isfinite(verdict.effect[:3]).all() for verdict in verdicts.values())


def test_the_overlap_has_the_reference_values(result, verdicts):
    assert MODULE.QUARTIC == pytest.approx(0.0010096997, abs=5e-11)
    assert MODULE.DECAY == pytest.approx(4.95102e-4, abs=5e-10)
    for coordinates, power in MODULE.POWER.items():
        rows = MODULE._overlap(result.tables["overlap"], coordinates)
        assert power == (1 / 3 if coordinates == "relative square" else 1 / 2)
        last = MODULE._slopes(rows, np.log(rows["time"]))[-1]
        assert last == pytest.approx(power, abs=3e-3)
        assert rows["gap"].iloc[-1] == pytest.approx(
            MODULE.predicted_gap(coordinates, rows["time"].iloc[-1]), rel=0.01
        )
    for name in (
        "exponents carry over",
        "squared gap has no plateau",
        "loss is quartic in the gap",
    ):
        assert verdicts[name].outcome == "holds"
    later = verdicts["relative leaves overlap sooner"]
    assert later.outcome == "fails" and later.effect.estimate == pytest.approx(6.25, abs=0.02)


def test_coordinates_share_teacher_and_start(result):
    first = MODULE._losses(result.tables["learning"]).query("time == 1")
    spread = first.groupby(["start", "replicate"])["loss"].agg(lambda loss: loss.max() / loss.min())
    assert len(spread) == 12 and spread.max() < 10
    one, other = (MODULE.learning(7, 1, 2, start, 0) for start in ("wide", "overlap"))
    assert len(one) == len(other) == len(MODULE.LEARNING) and one != other
    assert one == MODULE.learning(7, 1, 2, "wide", 0)


def test_starts_are_apart_in_order_and_near_overlap_if_asked():
    rng = np.random.default_rng(1)
    for kind, largest in (("wide", np.inf), ("overlap", 1.5)):
        starts = [MODULE.draw_start(rng, 3, kind) for _ in range(50)]
        gaps = np.diff([start.weight for start in starts])
        assert gaps.min() >= MODULE.LEAST_GAP and gaps.max() < largest
        assert min(start.weight.min() for start in starts) >= 0
    assert np.mean(response(MODULE.draw_teacher(rng, 2), MODULE.INPUTS.x) ** 2) > 0


def test_late_exponents_of_power_laws_and_of_decay():
    times = np.maximum(MODULE.TIMES, 0.5)
    for power in (1.0, 2.0):
        left = np.maximum(times**-power, MODULE.FLOOR)
        assert MODULE.late_exponent(left) == pytest.approx(power, abs=1e-9)
    assert MODULE.late_exponent(np.maximum(np.exp(-times), MODULE.FLOOR)) > 10
    assert MODULE.late_exponent(np.full(len(times), 0.3)) == 0


# --- effects on constructed tables ----------------------------------------------------------------


def learned(exponent=2.0, overlap=1.0, runs=10):
    """Runs whose plateau and final loss are 1, or a little more in all but plain coordinates."""
    rows = []
    for start in MODULE.STARTS:
        for replicate in range(runs):
            for coordinates in MODULE.LEARNING:
                size = 1.0 if coordinates == MODULE.PLAIN else 1 + replicate / 1000
                rows.append(
                    {
                        "teacher": 1, "width": 2, "start": start,
                        "replicate": replicate, "coordinates": coordinates, "arrived": True,
                        "plateau": size, "final": size,
                        "exponent": exponent, "overlap": overlap, "elimination": 0.01,
                        "dependence": 1.0,
                    }
                )  # fmt: skip
    return pd.DataFrame(rows)


@pytest.mark.parametrize(("ratio", "outcome"), [(0.5, "holds"), (3.0, "fails")])
@pytest.mark.parametrize("name", COORDINATES_OF)
def test_ratios_are_taken_run_by_run(name, ratio, outcome):
    table = learned()
    which = table["coordinates"] == COORDINATES_OF[name]
    table.loc[which, ["plateau", "final"]] *= ratio
    verdict = CLAIMS[name].judge(table)
    assert verdict.outcome == outcome
    assert verdict.effect.estimate == pytest.approx(ratio, rel=0.02)
    assert verdict.effect.observations == (10 if name.endswith("from overlap") else 20)


@pytest.mark.parametrize(("ratio", "outcome"), [(0.5, "holds"), (3.0, "fails")])
def test_final_losses_are_counted_where_they_differ(ratio, outcome):
    table = learned()
    table["final"] = 1.0
    which = (table["coordinates"] == "relative square") & (table["replicate"] < 9)
    table.loc[which, "final"] = ratio
    verdict = CLAIMS["lower final loss"].judge(table)
    assert verdict.outcome == outcome and verdict.effect.observations == 18


@pytest.mark.parametrize("name", COORDINATES_OF)
def test_a_run_that_is_missing_is_not_dropped(name):
    table = learned()
    lost = (table["start"] == "overlap") & (table["coordinates"] == COORDINATES_OF[name])
    verdict = CLAIMS[name].judge(table[~(lost & (table["replicate"] == 3))])
    assert verdict.outcome == "undecided" and verdict.effect is None


@pytest.mark.parametrize(
    ("change", "outcome"),
    [({"exponent": 2.1, "overlap": 0.1}, "holds"), ({"exponent": 4.0, "overlap": 0.3}, "fails")],
)
def test_shares_of_runs(change, outcome):
    table = learned(**change)
    for name in ("exponents carry over to free outputs", "plateaus lie at overlap"):
        assert CLAIMS[name].judge(table).outcome == outcome
    assert set(MODULE.kind(table)) == {"overlap" if outcome == "holds" else "elimination"}


@pytest.mark.parametrize(("error", "outcome"), [(0.0, "holds"), (0.1, "fails")])
def test_exponents_decay_and_quartic_loss(error, outcome):
    rows = []
    for coordinates in (*MODULE.POWER, "resolved"):
        for time in 2.0 ** np.arange(10, 16):
            if coordinates == "resolved":
                gap = np.exp(-MODULE.DECAY * (1 + error) * time)
            else:
                gap = time ** -(MODULE.POWER[coordinates] + error)
            left = MODULE.QUARTIC * (1 + error) * gap**4 / 2
            row = {
                "coordinates": coordinates,
                "time": time,
                "gap": gap,
                "loss": left,
            }
            curvature = {"relative": 0.5 + 10 * error}.get(coordinates, 1.0)
            rows.append({**row, "curvature": curvature})
    table = pd.DataFrame(rows)
    for name in (*EXPANDED, "relative leaves overlap sooner"):
        verdict = CLAIMS[name].judge(table)
        assert verdict.outcome == outcome, name
    assert verdict.effect.estimate == pytest.approx(0.5 + 10 * error)


# --- figures and words ----------------------------------------------------------------------------


def test_figures_and_words_are_those_of_the_table(result, verdicts):
    for draw in MODULE.study.figures.values():
        assert draw(result).axes and draw(result_of(MODULE.study, {})).axes
    told = " ".join(sentences(verdicts.values()))
    for name in ("plateaus shorter, square", "plateaus shorter from overlap"):
        effect = verdicts[name].effect
        assert f"{effect.estimate:.2f} [{effect.low:.2f}, {effect.high:.2f}]" in told
    assert f"{verdicts['relative leaves overlap sooner'].effect.estimate:.3f} times" in told
