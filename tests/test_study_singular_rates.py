"""The study of rates at the singularity: reference values, constructed tables, findings."""

import numpy as np
import pandas as pd
import pytest
from inprocess import run_here

from ordered_mix.data import simulate
from ordered_mix.engine.run import load_study
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization import catalog
from ordered_mix.prior import Prior

MODULE = catalog.module("singular_rates", "study")
CLAIMS = {claim.name: claim for claim in MODULE.CLAIMS}
DETERMINISTIC = {
    "exponents of gradient flow": "holds",
    "constants of gradient flow": "holds",
    "exponents of EM and ECM": "holds",
    "constants of EM and ECM": "holds",
    "no plateau in the squared gap": "holds",
    "loss is of fourth order": "holds",
    "relative leaves the plateau sooner": "fails",
    "one parameterization for every separation": "fails",
    "one ascent for every separation": "fails",
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
    assert MODULE.predicted_decay("resolved", 0.5) == 1 / 64
    assert MODULE.predicted_decay(MODULE.NATURAL, 0.3) == 0.5
    assert pytest.approx(1.502251, abs=5e-7) == MODULE.LIMIT


@pytest.mark.parametrize("weight", [0.5, 0.3])
def test_flows_at_both_weights_have_the_predicted_rates(weight):
    rows = pd.DataFrame(MODULE.cell(0, "flow", 0.0, weight, True, 0, 0)).assign(weight=weight)
    for name, path in rows.groupby("name"):
        if name in MODULE.EXPONENTIAL:
            rate = MODULE.local_decays(path)[-1]
            assert rate == pytest.approx(MODULE.predicted_decay(name, weight), rel=0.005), name
        else:
            power, constant = MODULE.predicted_power(name, weight)
            assert MODULE.local_slopes(path)[-1] == pytest.approx(power, abs=0.005), name
            last = path.iloc[-1]
            assert last["gap"] ** (1 / power) * last["time"] == pytest.approx(constant, rel=0.03)


def test_condition_numbers_have_the_reference_values():
    rows = pd.DataFrame(MODULE.cell(0, "condition", 0.1, 0.5, True, 0, 0))
    condition = rows[rows["step"] == 0.04].set_index("name")["condition"]
    gap = 0.1
    expected = {
        "unordered": 2 / gap**2, "relative": 12.5 / gap**2, "signed": 8 / gap**2, "resolved": 32,
        "relative(link=log)": 8 / gap**4, "relative(link=square)": 2 / gap**3, "bent": 1,
    }  # fmt: skip
    for name, leading in expected.items():
        assert condition[name] == pytest.approx(leading, rel=0.25), name
    assert condition["unordered"] == pytest.approx(0.5 / 2.487583e-3, rel=0.01)


def test_for_nuts_the_log_of_the_squared_gap_is_the_log_gap_again():
    prior = Prior(known_w=(0.5, 0.5), known_sigma=1.0)
    resolved, centred = (catalog.parameterization(n, 2, prior) for n in ("resolved", "centred"))
    rng = np.random.default_rng(0)
    mu = np.sort(rng.normal(size=(6, 2)), axis=1)
    mixtures = Mixture(np.full((6, 2), 0.5), mu, np.ones((6, 2)))
    data = simulate(Mixture(np.full(2, 0.5), np.array([-1.0, 1.0]), np.ones(2)), 50, seed=2)
    z, x = resolved.unconstrain(mixtures), centred.unconstrain(mixtures)
    order = [resolved.graph.slices["squared_gap"].start, resolved.graph.slices["location"].start]
    other = [centred.graph.slices["gap"].start, centred.graph.slices["location"].start]
    np.testing.assert_allclose(z[:, order], x[:, other] * [2, 1], atol=1e-12)
    change = resolved.log_posterior(z, data)[0] - centred.log_posterior(x, data)[0]
    np.testing.assert_allclose(change, -np.log(2), atol=1e-9)


# --- effects on constructed tables ----------------------------------------------------------------


def path(name, measure, power, constant, weight=0.5):
    times = 2.0 ** np.arange(10, 18)
    rows = pd.DataFrame({"time": times, "gap": (constant / times) ** power})
    rows["excess"] = rows["gap"] ** 4 / 64
    return rows.assign(name=name, measure=measure, weight=weight)


@pytest.mark.parametrize("error", [0.0, 0.1])
def test_powers_and_constants(error):
    parts = [
        path(name, "flow", 0.5 - error, 4.0) for name in ("unordered", "relative, squared gap")
    ]
    parts += [path("em", "iteration", 0.5 - error, 2.0)]
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
    table = pd.concat(
        [path("unordered", "flow", 0.5, 4.0), path("relative", "flow", 0.5, constant)]
    )
    verdict = CLAIMS["relative leaves the plateau sooner"].judge(table)
    assert verdict.effect.estimate == pytest.approx(constant / 4)
    assert verdict.outcome == outcome
    assert CLAIMS["loss is of fourth order"].judge(table).outcome == "holds"
    wrong = table.assign(excess=1.1 * table["excess"])
    assert CLAIMS["loss is of fourth order"].judge(wrong).outcome == "fails"


@pytest.mark.parametrize(("rate", "outcome"), [(1 / 64, "holds"), (1 / 60, "fails")])
def test_decays(rate, outcome):
    times = np.arange(20.0, 181.0, 20.0)
    table = pd.DataFrame({"time": times, "gap": np.exp(-rate * times)})
    table = table.assign(name="resolved", measure="flow", weight=0.5)
    assert CLAIMS["no plateau in the squared gap"].judge(table).outcome == outcome


def samples(power, separation, replicates=20):
    """Gaps whose errors scale exactly with n, on the same relative errors for every n."""
    size = np.random.default_rng(0).uniform(0.9, 1.1, size=replicates)
    size *= MODULE.LIMIT / np.sqrt(np.mean(size**2))
    rows = [
        {"n": n, "replicate": i, "miss": size[i] * n**power, "sweeps": 3 * n ** (-2 * power)}
        for n in (100, 400, 1600)
        for i in range(replicates)
    ]
    known = {"measure": "sample", "separation": separation, "known": True, "weight": 0.5}
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


@pytest.mark.parametrize(("best", "outcome"), [(1.05, "holds"), (3.0, "fails")])
def test_one_chart_for_all_separations(best, outcome):
    rows = []
    for step in MODULE.STEPS:
        for separation, values in ((0.1, (1.0, 9.0, best)), (2.0, (9.0, 1.0, 1.0))):
            for name, value in zip(("a", "b", "c"), values, strict=True):
                row = {"separation": separation, "name": name, "condition": value}
                row |= {"steps": value if value < 9 else np.nan, "step": step, "weight": 0.5}
                rows += [{**row, "measure": measure} for measure in ("condition", "ascent")]
    for name in ("one parameterization for every separation", "one ascent for every separation"):
        verdict = CLAIMS[name].judge(pd.DataFrame(rows))
        assert verdict.outcome == outcome
        assert verdict.effect.estimate == pytest.approx(best)


# --- findings -------------------------------------------------------------------------------------


def test_findings_hold_the_numbers_of_the_table(result, verdicts):
    text = result.study.findings(result)
    slower = verdicts["relative leaves the plateau sooner"].effect.estimate
    assert f"{slower:.3f} times as long" in text
    assert "every separation is bent" in text
    empty = type(result)(result.study, result.path, result.rows.iloc[:0], ())
    assert "Of 0 claims" in result.study.findings(empty)
