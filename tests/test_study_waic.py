"""The waic study: its cells, its effects on tables with known answers, and its smoke size."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import ndtri

from ordered_mix.data import Data
from ordered_mix.engine.batches import run_cell
from ordered_mix.engine.run import load_study
from ordered_mix.parameterization import catalog
from ordered_mix.study.result import DONE, StudyResult

waic = catalog.module("waic", "study")
STUDY = load_study("waic")
BASE = {
    "estimator": "nuts", "free": "all", "data": "simulated", "separation": 0.5, "n": 200, "k": 2,
    "parameterization": "unordered", "prior": "matched", "replicate": 0,
}  # fmt: skip
EVERY = ("WAIC", "LOO", "WBIC", "AIC", "BIC", "sBIC")


def judged(rows):
    """A result as if these rows had been computed."""
    rows = pd.DataFrame([{"seed": 0, "status": DONE, "error": "", **row} for row in rows])
    result = StudyResult(STUDY, None, rows, ())
    verdicts = tuple(claim.judge(result.table) for claim in STUDY.claims)
    return StudyResult(STUDY, None, rows, verdicts)


def claim(name):
    return next(claim for claim in STUDY.claims if claim.name == name)


# --- cells ----------------------------------------------------------------------------------------


def test_exact_values_of_the_normal_quantiles():
    case = waic.Case(Data(ndtri((np.arange(1, 51) - 0.5) / 50)), None)
    row = waic.integrated(case, "matched")
    found = [row[name] for name in ("evidence", "waic", "p_waic", "loo")]
    assert found == pytest.approx([-73.87232389, -71.70144735, 1.10752375, -71.70187794], abs=1e-8)
    assert row["wbic"] == pytest.approx(73.564986, abs=1e-6)
    native = waic.integrated(case, "relative")
    assert native["waic"] == pytest.approx(-71.67499833, abs=1e-8)
    assert native["wbic"] == pytest.approx(73.367892, abs=1e-6)


def test_cells_of_a_data_set_share_it():
    first = waic.draw_case("simulated", 1.0, 50, 3)
    again = waic.draw_case("simulated", 1.0, 50, 3)
    other = waic.draw_case("simulated", 1.0, 50, 4)
    assert (first.sample.y == again.sample.y).all() and (first.sample.y != other.sample.y).any()
    assert waic.draw_case("acidity", None, None, 0).sample.n == 155


def test_real_sets_have_no_exact_loss():
    row = waic.fitted(waic.draw_case("acidity", None, None, 0), 2)
    assert row["points"] == 155 and "generalisation" not in row
    assert row["bic"] - row["aic"] == pytest.approx(5 * np.log(155) - 10)


def test_the_loss_of_a_fit_is_at_least_the_entropy():
    row = waic.fitted(waic.draw_case("simulated", 2.0, 200, 0), 2)
    assert 0 < row["generalisation"] - row["entropy"] < 0.1
    assert row["log_likelihood"] > -row["sample_entropy"]


def test_every_size_names_models_that_exist():
    for size in ("smoke", "laptop"):
        cells = STUDY.cells(size)
        assert not [cell for cell in cells if STUDY.skip(**cell.factors)]
    sampled = {c.structure for c in STUDY.cells("laptop") if c.factors["estimator"] == "nuts"}
    assert {k for _, k, _, _ in sampled} == {1, 2, 3}
    assert {label for _, _, label, _ in sampled} == set(waic.MATCHED)
    bad = {"estimator": "nuts", "free": "all", "prior": "matched"}
    assert STUDY.skip(**bad, k=1, parameterization="ordered")
    assert STUDY.skip(**bad, k=3, parameterization="resolved")
    assert STUDY.skip(**{**bad, "free": "means"}, k=2, parameterization="moment")


# --- effects on tables with known answers ---------------------------------------------------------


def choosing(picks, separation=0.5, best=1, sets=8):
    """Rows in which each criterion picks a K, and `best` predicts best."""
    rows = []
    for replicate in range(sets):
        for k in (1, 2, 3):
            value = {name: 100.0 + 10 * (k != pick) for name, pick in picks.items()}
            common = {**BASE, "separation": separation, "replicate": replicate, "k": k}
            loss = {"generalisation": 1.4 + 0.01 * abs(k - best), "entropy": 1.4}
            rows.append({
                **common, **loss, "waic": -value["WAIC"], "loo": -value["LOO"],
                "wbic": value["WBIC"], "sample_entropy": 280.0,
            })  # fmt: skip
            fit = {"aic": value["AIC"], "bic": value["BIC"], "points": 200}
            likelihood = -200.0 + 60 * (k >= picks["sBIC"])
            rows.append({**common, "estimator": "em", **fit, "log_likelihood": likelihood})
    return rows


@pytest.mark.parametrize(("wanted", "aic", "other"), [("holds", 2, 1), ("fails", 1, 2)])
def test_wrong_against_the_best_predicting_k(wanted, aic, other):
    picks = {**dict.fromkeys(EVERY, other), "AIC": aic}
    rows = choosing(picks) + choosing({**picks, "AIC": other}, separation=1.0, sets=1)
    table = pd.DataFrame(rows)
    for second in ("WAIC", "LOO", "sBIC"):
        verdict = claim(f"AIC is wrong more often than {second} (best K)").judge(table)
        assert verdict.outcome == wanted, verdict.reason
        assert abs(verdict.effect.estimate) == pytest.approx(8 / 9)
    # the truth has two components, so the same choices are judged the other way round
    many = pd.DataFrame(choosing(picks, sets=40) + rows[-len(rows) // 9 :])
    verdict = claim("criteria find the true K alike").judge(many)
    assert verdict.outcome == "fails"
    assert verdict.effect.estimate == pytest.approx(40 / 41)
    alike = pd.DataFrame(choosing(dict.fromkeys(EVERY, 1), sets=80))
    assert claim("criteria find the true K alike").judge(alike).outcome == "holds"


def test_the_true_k_is_one_at_the_singularity_and_far_sets_do_not_count():
    picks = {**dict.fromkeys(EVERY, 1), "BIC": 2}
    table = pd.DataFrame(choosing(picks, separation=0.0) + choosing(picks, separation=3.0))
    missed = waic.wrong(table, "true")
    assert missed.groupby("separation")["BIC"].mean().to_dict() == {0.0: 1.0, 3.0: 0.0}
    assert waic.more_often_wrong(table, "BIC", "AIC", "true").estimate == 1.0


def test_incomplete_data_sets_are_left_out_of_every_criterion():
    rows = choosing(dict.fromkeys(EVERY, 1))
    lost = [row for row in rows if (row["replicate"], row["k"], row["estimator"]) != (2, 3, "nuts")]
    assert len(waic.choices(pd.DataFrame(lost))) == 7
    assert len(waic.choices(pd.DataFrame(lost), ["AIC", "BIC"])) == 8


def test_lost_nats_are_those_of_the_chosen_k():
    table = pd.DataFrame(choosing({**dict.fromkeys(EVERY, 1), "LOO": 3}))
    lost = waic.lost_nats(table).groupby("criterion")["lost"].mean()
    assert lost["LOO"] == pytest.approx(200 * 0.02)
    assert lost.drop("LOO").abs().max() == 0


def sampled(noise, shift=0.0, names=("unordered", "relative", "moment"), sets=40, **factors):
    """WAIC of several parameterizations with Monte Carlo errors of 0.1."""
    rng = np.random.default_rng(5)
    rows = []
    for replicate in range(sets):
        for name in names:
            value = -300 + noise * rng.normal() + shift * (name == "relative")
            columns = {"waic": value, "waic_mcse": 0.1, "parameterization": name}
            rows.append({**BASE, "replicate": replicate, **factors, **columns})
    return rows


def test_invariance_is_agreement_within_monte_carlo_error():
    name = "WAIC is invariant"
    assert claim(name).judge(pd.DataFrame(sampled(0.1))).outcome == "holds"
    assert claim(name).judge(pd.DataFrame(sampled(0.1, shift=0.9))).outcome == "fails"
    alone = claim(name).judge(pd.DataFrame(sampled(0.1, names=["unordered"])))
    assert alone.outcome == "undecided" and "two parameterizations" in alone.reason


def test_a_native_change_is_measured_in_nats():
    name = "native priors change WAIC near the singularity"
    for shift, wanted in ((0.0, "fails"), (1.0, "holds")):
        rows = sampled(0.1) + sampled(0.1, shift=shift, names=["relative"], prior="native")
        effect = claim(name).judge(pd.DataFrame(rows))
        assert effect.outcome == wanted, effect.reason
    assert effect.effect.estimate == pytest.approx(1.0, rel=0.1)
    apart = claim("native priors change WAIC of separated components").judge(pd.DataFrame(rows))
    assert apart.outcome == "undecided"


def test_draws_are_held_against_quadrature():
    exact = [{**BASE, "estimator": "quadrature", "free": "means", "replicate": replicate,
              "waic": -300.0} for replicate in range(40)]  # fmt: skip
    for noise, wanted in ((0.1, "holds"), (0.6, "fails")):
        table = pd.DataFrame(sampled(noise, free="means") + exact)
        assert claim("WAIC of draws is exact").judge(table).outcome == wanted


def singular(p_waic, excess, waic_excess, coefficient, sets=200):
    """Exact rows at separation 0."""
    rng = np.random.default_rng(6)
    rows = []
    for replicate in range(sets):
        for n, off in ((50, 1.0), (1000, 0.0)):
            noise = 0.5 * rng.normal()
            rows.append({
                **BASE, "estimator": "quadrature", "free": "means", "separation": 0.0, "n": n,
                "replicate": replicate, "p_waic": p_waic + off + 0.4 * noise,
                "generalisation": 1.4 + (excess + off + noise) / n, "entropy": 1.4,
                "sample_entropy": 1400.0, "waic": -1400 - (waic_excess - noise),
                "learning_coefficient": coefficient,
            })  # fmt: skip
    return pd.DataFrame(rows)


def test_theory_at_the_singularity_is_tested_at_the_largest_n():
    names = ("p_waic is twice the singular fluctuation", "p_waic is twice the learning coefficient",
             "generalisation loss exceeds entropy by lambda/n",
             "WAIC and the generalisation loss add up to 2 lambda",
             "WBIC at two temperatures gives lambda")  # fmt: skip
    right = singular(1.34594653, 0.75, 0.75, 0.75)
    found = [claim(name).judge(right).outcome for name in names]
    assert found == ["holds", "fails", "holds", "holds", "holds"]
    off = singular(1.5, 1.5, 1.0, 1.0)
    found = [claim(name).judge(off).outcome for name in names]
    assert found == ["fails", "holds", "fails", "fails", "fails"]
    assert waic.departure(right, "both", 0.75).estimate == pytest.approx(0, abs=1e-9)


def test_bias_is_taken_from_the_exact_loss():
    rng = np.random.default_rng(7)
    rows = []
    for replicate in range(30):
        excess, fluctuation = 2.0 + rng.normal(), rng.normal()
        loss = {"generalisation": 1.4 + excess / 200, "entropy": 1.4,
                "sample_entropy": 280 + fluctuation}  # fmt: skip
        elpd = -(280 + fluctuation + excess)
        rows.append({**BASE, **loss, "replicate": replicate, "waic": elpd, "loo": elpd - 1})
        fit = {"estimator": "em", "aic": -2 * elpd}
        rows.append({**BASE, **loss, **fit, "replicate": replicate})
    table = pd.DataFrame(rows)
    assert waic.bias(table, "WAIC").estimate == pytest.approx(0, abs=1e-9)
    assert waic.bias(table, "LOO").estimate == pytest.approx(1)
    assert claim("WAIC estimates the generalisation loss").judge(table).outcome == "holds"
    assert claim("LOO estimates the generalisation loss").judge(table).outcome == "fails"


@pytest.mark.parametrize(("far", "wanted"), [(0.1, "holds"), (0.9, "fails")])
def test_distance_to_cross_validation(far, wanted):
    rows = [{**BASE, "estimator": "refit", "replicate": replicate, "cross_validation": -40.0,
             "waic": -40 + far, "loo": -40 - far / 3} for replicate in range(5)]  # fmt: skip
    table = pd.DataFrame(rows)
    assert claim("WAIC is cross-validation").judge(table).outcome == wanted
    ratio = claim("PSIS-LOO is closer to cross-validation").judge(table)
    assert ratio.outcome == "holds" and ratio.effect.estimate == pytest.approx(1 / 3)


# --- the whole study ------------------------------------------------------------------------------


def fabricated(cells):
    """Plausible rows for cells, without computing them."""
    rng = np.random.default_rng(8)
    rows = []
    for cell in cells:
        factors, n = cell.factors, cell.factors["n"] or 155
        near = {name: -1.4 * n + 0.1 * rng.normal() for name in ("waic", "loo", "wbic")}
        row = {**near, "wbic": -near["wbic"], **dict.fromkeys(("waic_mcse", "loo_mcse"), 0.1)}
        row |= {"wbic_mcse": 0.1, "rhat": 1.0, "p_waic": 1.4 + 0.1 * rng.normal(),
                "learning_coefficient": 0.8,
                "cross_validation": -1.4 * n, "points": n,
                "log_likelihood": -1.4 * n + rng.normal()}  # fmt: skip
        row |= {"aic": 2.8 * n + rng.normal(), "bic": 2.8 * n + rng.normal()}
        if factors["data"] == "simulated":
            row |= {"generalisation": 1.4 + rng.gamma(1) / n, "entropy": 1.4,
                    "sample_entropy": 1.4 * n}  # fmt: skip
        rows.append({**factors, **row})
    return rows


@pytest.fixture(scope="module")
def full():
    cells = [cell for cell in STUDY.cells("laptop") if cell.factors["replicate"] < 3]
    return judged(fabricated(cells))


def test_a_full_table_decides_or_leaves_open_every_claim(full):
    assert len({verdict.claim.name for verdict in full.verdicts}) == len(full.verdicts)
    for verdict in full.verdicts:
        assert verdict.effect is not None, verdict.reason
        assert np.isfinite(verdict.effect[:3]).all()


def test_findings_hold_the_numbers_of_the_table(full):
    text = STUDY.findings(full)
    effects = {verdict.claim.name: verdict.effect for verdict in full.verdicts}
    assert f"WAIC {effects['WAIC is invariant'].estimate:.2f}" in text
    share = waic.wrong(full.table, "true")
    near = share[share.index.get_level_values("separation") <= waic.NEAR]["BIC"].mean()
    assert f"BIC {near:.0%}" in text
    assert "closer to 2 nu" in text and "of 6 shipped sets" in text


@pytest.fixture(scope="module")
def smoke():
    rows, seconds = [], STUDY.time_limit
    for cell in STUDY.cells("smoke"):
        outcome = run_cell(STUDY.cell, cell, seconds)
        assert outcome.status == DONE, outcome.error
        rows += [{**cell.factors, **row} for row in outcome.rows]
    return judged(rows)


def test_smoke_size(smoke):
    table = smoke.table
    assert (table["generalisation"].dropna() > table["entropy"].dropna()).all()
    for verdict in smoke.verdicts:
        if verdict.effect is None:
            assert verdict.reason.startswith("The table gives no effect size")
        else:
            assert np.isfinite(verdict.effect[:3]).all()
    decided = {verdict.claim.name for verdict in smoke.verdicts if verdict.effect is not None}
    assert {"WAIC estimates the generalisation loss", "WAIC is cross-validation",
            "p_waic is twice the singular fluctuation"} <= decided  # fmt: skip
    assert waic.more_often_wrong(table, "AIC", "sBIC", "true").observations > 0
    exact = table.loc[table["estimator"] == "quadrature"]
    p_waic = exact.loc[exact["separation"] == 0, "p_waic"].mean()
    assert f"{p_waic:.3f} on average" in STUDY.findings(smoke)
