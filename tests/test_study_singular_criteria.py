"""Criteria where components coincide: effects on tables with known answers, and a smoke run."""

import numpy as np
import pandas as pd
import pytest
from inprocess import result_of, run_here

from ordered_mix.parameterization import catalog
from ordered_mix.study.sentences import answer
from ordered_mix.study.truths import shared_data

file = catalog.module("singular_criteria", "study")
STUDY = file.study
CLAIMS = {claim.name: claim for claim in STUDY.claims}
EVERY = ("WAIC", "LOO", "WBIC", "AIC", "BIC", "sBIC")


def test_cells_of_a_data_set_share_it():
    first, again, other = (shared_data(1.0, 50, replicate) for replicate in (3, 3, 4))
    assert (first.y == again.y).all() and (first.y != other.y).any()


def test_the_loss_of_a_fit_is_at_least_the_entropy():
    (row,) = file.fitted(0, separation=2.0, n=200, k=2, replicate=0)
    assert 0 < row["generalisation"] - row["entropy"] < 0.1
    assert row["log_likelihood"] > -row["sample_entropy"]
    assert row["bic"] - row["aic"] == pytest.approx(5 * np.log(200) - 10)


def choosing(picks, separation=0.5, best=1, sets=8, first=0):
    """Rows of fits and of draws: each criterion picks a K, and `best` predicts best."""
    fits, draws = [], []
    for replicate in range(first, first + sets):
        for k in (1, 2, 3):
            value = {name: 100.0 + 10 * (k != pick) for name, pick in picks.items()}
            common = {"separation": separation, "n": 200, "k": k, "replicate": replicate}
            common |= {"generalisation": 1.4 + 0.01 * abs(k - best), "entropy": 1.4}
            draws.append({
                **common, "waic": -value["WAIC"], "loo": -value["LOO"], "wbic": value["WBIC"],
                "sample_entropy": 280.0,
            })  # fmt: skip
            likelihood = -200.0 + 60 * (k >= picks["sBIC"])
            fit = {"aic": value["AIC"], "bic": value["BIC"], "log_likelihood": likelihood}
            fits.append({**common, **fit, "sample_entropy": 280.0})
    return pd.DataFrame(fits), pd.DataFrame(draws)


def joined(*parts):
    return [pd.concat(tables, ignore_index=True) for tables in zip(*parts, strict=True)]


@pytest.mark.parametrize(("wanted", "aic", "other"), [("holds", 2, 1), ("fails", 1, 2)])
def test_wrong_against_the_best_predicting_k(wanted, aic, other):
    picks = {**dict.fromkeys(EVERY, other), "AIC": aic}
    last = choosing({**picks, "AIC": other}, separation=1.0, sets=1)
    tables = joined(choosing(picks), last)
    for second in ("WAIC", "LOO", "sBIC"):
        verdict = CLAIMS[f"AIC is wrong more often than {second} (best K)"].judge(*tables)
        assert verdict.outcome == wanted, verdict.reason
        assert abs(verdict.effect.estimate) == pytest.approx(8 / 9)
    # the truth has two components, so the same choices are judged the other way round
    verdict = CLAIMS["criteria find the true K alike"].judge(
        *joined(choosing(picks, sets=40), last)
    )
    assert verdict.outcome == "fails"
    assert verdict.effect.estimate == pytest.approx(40 / 41)
    alike = choosing(dict.fromkeys(EVERY, 1), sets=80)
    assert CLAIMS["criteria find the true K alike"].judge(*alike).outcome == "holds"


def test_the_true_k_is_one_at_the_singularity_and_far_sets_do_not_count():
    picks = {**dict.fromkeys(EVERY, 1), "BIC": 2}
    tables = joined(choosing(picks, separation=0.0), choosing(picks, separation=3.0))
    missed = file.wrong(*tables, "true")
    assert missed.groupby("separation")["BIC"].mean().to_dict() == {0.0: 1.0, 3.0: 0.0}
    assert file.more_often_wrong(*tables, "BIC", "AIC", "true").estimate == 1.0


def test_incomplete_data_sets_are_left_out_of_every_criterion():
    fits, draws = choosing(dict.fromkeys(EVERY, 1))
    lost = draws[(draws["replicate"] != 2) | (draws["k"] != 3)]
    assert len(file.choices(fits, lost)) == 7
    assert len(file.choices(fits, lost, ["AIC", "BIC"])) == 8


def test_lost_nats_are_those_of_the_chosen_k():
    tables = choosing({**dict.fromkeys(EVERY, 1), "LOO": 3})
    lost = file.lost_nats(*tables).groupby("criterion")["lost"].mean()
    assert lost["LOO"] == pytest.approx(200 * 0.02)
    assert lost.drop("LOO").abs().max() == 0


def test_bias_is_taken_from_the_exact_loss():
    rng = np.random.default_rng(7)
    rows = []
    for replicate in range(30):
        excess, fluctuation = 2.0 + rng.normal(), rng.normal()
        elpd = -(280 + fluctuation + excess)
        rows.append({
            "separation": 0.5, "n": 200, "k": 2, "replicate": replicate, "entropy": 1.4,
            "generalisation": 1.4 + excess / 200, "sample_entropy": 280 + fluctuation,
            "waic": elpd, "loo": elpd - 1,
        })  # fmt: skip
    table = pd.DataFrame(rows)
    assert file.bias(table, "WAIC").estimate == pytest.approx(0, abs=1e-9)
    assert file.bias(table, "LOO").estimate == pytest.approx(1)
    assert CLAIMS["WAIC estimates the generalisation loss"].judge(table).outcome == "holds"
    assert CLAIMS["LOO estimates the generalisation loss"].judge(table).outcome == "fails"


def test_the_answer_is_true_of_the_table():
    more, less = (dict.fromkeys(EVERY, 1) | {"BIC": bic, "WAIC": 3 - bic} for bic in (2, 1))
    for picks, told in ((more, "BIC misses"), (less, "less often than WAIC")):
        tables = dict(zip(("fitted", "sampled"), choosing(picks), strict=True))
        assert told in answer(result_of(STUDY, tables))


def test_smoke_size(tmp_path):
    smoke = run_here(STUDY, tmp_path)
    assert not len(smoke.failures)
    for table in smoke.tables.values():
        assert (table["generalisation"] > table["entropy"]).all()
    decided = {verdict.claim.name for verdict in smoke.verdicts if verdict.effect is not None}
    assert "WAIC estimates the generalisation loss" in decided
    for draw in STUDY.figures.values():
        draw(smoke).draw_without_rendering()
