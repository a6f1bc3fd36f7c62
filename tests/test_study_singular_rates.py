"""The study of rates at the singularity: reference values, constructed tables."""

import numpy as np
import pandas as pd
import pytest
from inprocess import run_here

from ordered_mix.engine.run import load_study
from ordered_mix.parameterization import catalog
from ordered_mix.theory.gap_flow import EXPONENTIAL

MODULE = catalog.module("singular_rates", "study")
CLAIMS = {claim.name: claim for claim in MODULE.CLAIMS}
DETERMINISTIC = {
    "exponents of gradient flow": "holds",
    "constants of gradient flow": "holds",
    "exponents of EM and ECM": "holds",
    "constants of EM and ECM": "holds",
    "loss is of fourth order": "holds",
    "relative leaves the plateau sooner": "fails",
}


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    return run_here(load_study("singular_rates"), tmp_path_factory.mktemp("singular"))


@pytest.fixture(scope="module")
def verdicts(result):
    return {verdict.claim.name: verdict for verdict in result.verdicts}


def test_every_cell_is_done_and_every_claim_has_a_finite_interval(result, verdicts):
    assert not len(result.failures) and not len(result.skipped)
    assert all(np.isfinite(verdict.effect[:3]).all() for verdict in verdicts.values())


def test_verdicts_of_what_is_not_random(verdicts):
    assert {name: verdicts[name].outcome for name in DETERMINISTIC} == DETERMINISTIC
    slower = verdicts["relative leaves the plateau sooner"].effect.estimate
    assert slower == pytest.approx(10 / 4, rel=0.01)


def test_reference_exponents_and_constants():
    powers = {
        "unordered": (1 / 2, 4), "relative": (1 / 2, 10), "signed": (1 / 2, 8),
        "relative(link=log)": (1 / 4, 4), "relative(link=softplus)": (1 / 4, 4),
        "relative(link=square)": (1 / 3, 4 / 3), "relative, squared gap": (1 / 2, 2),
        "em": (1 / 2, 2), "ecm": (1 / 2, 4),
    }  # fmt: skip
    for name, expected in powers.items():
        assert MODULE.predicted_power(name, 0.5) == pytest.approx(expected)
    assert MODULE.predicted_power("centred", 0.5) == MODULE.predicted_power("signed", 0.5)
    assert MODULE.predicted_power("relative", 0.3)[1] == pytest.approx((1 + 0.49) / (2 * 0.21**2))
    assert pytest.approx(1.502251, abs=5e-7) == MODULE.LIMIT


@pytest.mark.parametrize("weight", [0.5, 0.3])
def test_flows_at_both_weights_have_the_predicted_rates(weight):
    rows = pd.DataFrame(MODULE.flow_cell(0, weight))
    for name, path in rows[~rows["name"].isin(EXPONENTIAL)].groupby("name"):
        power, constant = MODULE.predicted_power(name, weight)
        assert MODULE.local_slopes(path)[-1] == pytest.approx(power, abs=0.005), name
        last = path.iloc[-1]
        assert last["gap"] ** (1 / power) * last["time"] == pytest.approx(constant, rel=0.03)


# --- effects on constructed tables ----------------------------------------------------------------


def path(name, power, constant, weight=0.5):
    times = 2.0 ** np.arange(10, 18)
    rows = pd.DataFrame({"time": times, "gap": (constant / times) ** power})
    rows["excess"] = rows["gap"] ** 4 / 64
    return rows.assign(name=name, weight=weight)


@pytest.mark.parametrize("error", [0.0, 0.1])
def test_powers_and_constants(error):
    parts = [path(name, 0.5 - error, 4.0) for name in ("unordered", "relative, squared gap")]
    parts += [path("em", 0.5 - error, 2.0)]
    table = pd.concat(parts)
    flow = CLAIMS["exponents of gradient flow"].judge(table)
    assert flow.effect.estimate == pytest.approx(error, abs=1e-9)
    assert flow.outcome == ("fails" if error else "holds")
    em = CLAIMS["exponents of EM and ECM"].judge(table)
    assert em.outcome == ("fails" if error else "holds")
    # the constant of the squared gap beside the first mean is 2, not 4
    constants = CLAIMS["constants of gradient flow"].judge(table)
    assert constants.outcome == "fails"
    if not error:
        assert constants.effect.estimate == pytest.approx(1.0)
        assert CLAIMS["constants of EM and ECM"].judge(table).outcome == "holds"


@pytest.mark.parametrize(("constant", "outcome"), [(2.0, "holds"), (10.0, "fails")])
def test_times_to_one_gap(constant, outcome):
    table = pd.concat([path("unordered", 0.5, 4.0), path("relative", 0.5, constant)])
    verdict = CLAIMS["relative leaves the plateau sooner"].judge(table)
    assert verdict.effect.estimate == pytest.approx(constant / 4)
    assert verdict.outcome == outcome
    assert CLAIMS["loss is of fourth order"].judge(table).outcome == "holds"
    wrong = table.assign(excess=1.1 * table["excess"])
    assert CLAIMS["loss is of fourth order"].judge(wrong).outcome == "fails"


def samples(power, separation, replicates=20):
    """Gaps whose errors scale exactly with n, on the same relative errors for every n."""
    size = np.random.default_rng(0).uniform(0.9, 1.1, size=replicates)
    size *= MODULE.LIMIT / np.sqrt(np.mean(size**2))
    rows = [
        {"n": n, "replicate": i, "miss": size[i] * n**power, "sweeps": 3 * n ** (-2 * power)}
        for n in (100, 400, 1600)
        for i in range(replicates)
    ]
    known = {"separation": separation, "known": True, "weight": 0.5}
    return pd.DataFrame(rows).assign(name="em", **known)


@pytest.mark.parametrize(("power", "outcome"), [(-0.25, "holds"), (-0.5, "fails")])
def test_rates_in_n(power, outcome):
    table = samples(power, 0.0)
    for name in ("gap to n^(-1/4)", "sweeps like n^(1/2)", "size of the gap"):
        assert CLAIMS[name].judge(table).outcome == outcome, name
    error = CLAIMS["gap to n^(-1/4)"].judge(table).effect
    assert error.estimate == pytest.approx(power + 0.25, abs=1e-9)
    separated = CLAIMS["separated gap to n^(-1/2)"].judge(samples(power, 2.0))
    assert separated.outcome == ("fails" if outcome == "holds" else "holds")


def test_samples_that_failed_are_not_dropped_silently():
    verdict = CLAIMS["gap to n^(-1/4)"].judge(samples(-0.25, 0.0).iloc[1:])
    assert verdict.outcome == "undecided" and "every replicate" in verdict.reason
