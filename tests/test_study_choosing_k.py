"""Choosing K by criteria: the smoke size, and the effects on tables with known answers."""

import numpy as np
import pandas as pd
import pytest
from inprocess import result_of, run_here

from ordered_mix.parameterization.catalog import module
from ordered_mix.study.sentences import answer, findings

file = module("choosing_k", "study")
CLAIMS = {claim.name: claim for claim in file.CLAIMS}
NUMBERS = np.arange(1, file.LARGEST + 1)
# nats lost by the best predicting K and the others, and which of these each criterion chooses
HOLDS = (
    (0.0, 0.25, 0.5, 0.9, 1.2),
    dict.fromkeys(file.CRITERIA, 0) | {"sBIC": 1, "BIC": 2, "ICL": 3},
)
FAILS = (0.0, 0.2, 0.5, 2.0, 3.0), {
    "WAIC": 0, "ICL": 1, "BIC": 2, "sBIC": 3, "LOO": 3, "evidence": 4,
}  # fmt: skip


def data_set(rng, truth, n, holds):
    """One data set on which criteria choose as they are told."""
    losses, choice = HOLDS if holds else FAILS
    best = 1 if (n == 50) == holds else file.TRUTHS[truth].k
    order = [best, *(k for k in NUMBERS if k != best)]
    lost = np.array(losses) * rng.uniform(0.9, 1.1)
    frame = pd.DataFrame({"k": order, "elpd": -lost}).sort_values("k", ignore_index=True)
    for sign, names in ((-1, file.SMALLER), (1, file.LARGER)):
        for name, column in names.items():
            frame[column] = sign * (frame["k"] == order[choice[name]]).astype(float)
    gained = 0.1 if holds else -4.0
    return frame.assign(averaged=gained * rng.uniform(0.9, 1.1), truth=truth, n=n)


def world(holds=True, replicates=20):
    rng = np.random.default_rng(4)
    parts = [
        data_set(rng, truth, n, holds).assign(replicate=replicate)
        for truth in file.TRUTHS
        for n in file.study.factors["n"]
        for replicate in range(replicates)
    ]
    return pd.concat(parts, ignore_index=True)


@pytest.mark.parametrize("holds", [True, False])
def test_every_claim_can_hold_and_fail(holds):
    for verdict in result_of(file.study, world(holds)).verdicts:
        assert verdict.outcome == ("holds" if holds else "fails"), verdict.reason
        assert np.isfinite(verdict.effect[:3]).all()


def test_losses_are_those_put_in():
    losses = file.lost(world()).mean()
    for name, rank in HOLDS[1].items():
        assert losses[name] == pytest.approx(HOLDS[0][rank], rel=0.05)
    assert losses[file.AVERAGED] == pytest.approx(-0.1, rel=0.05)
    told = findings(result_of(file.study, world()))
    assert "the true K predicts best for 100%" in told and "for 100%" in told


def test_the_answer_is_true_of_either_world():
    assert "LOO chooses a K that predicts better" in answer(result_of(file.study, world()))
    assert "LOO chooses a K that predicts worse" in answer(result_of(file.study, world(False)))


def test_smoke_is_what_criteria_say_of_the_data(tmp_path):
    result = run_here(file.study, tmp_path)
    assert not len(result.failures) and len(result.tables["choosing_k"]) == 3 * file.LARGEST
    table = result.tables["choosing_k"]
    assert np.isfinite(table[[*file.SMALLER.values(), *file.LARGER.values(), "elpd"]]).all(
        axis=None
    )
    truth = file.TRUTHS["three"]
    everyone = file.population(truth, step=0.1, reach=8.0)
    entropy = -50 * np.sum(everyone.weight * truth.log_density(everyone.y))
    # no predictive exceeds the truth, and averages lie above the weighted mean of their parts
    assert (table["elpd"] < -entropy).all() and (table[file.AVERAGED] < -entropy).all()
    assert (table[file.AVERAGED] >= table.groupby("replicate")["elpd"].transform("min")).all()
