"""Claims judged together: Holm's procedure, against p-values and against its promise."""

import chance
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from ordered_mix.study import Claim, Effect, effects
from ordered_mix.study.confidence import CONFIDENCE, at_confidence, confidence
from ordered_mix.study.family import judge_all


def of_mean(name, column, family="", direction="above"):
    return Claim(
        name, f"{name}.", "here", lambda table: effects.mean(table[column]), direction, 0.0,
        family=family,
    )  # fmt: skip


def by_p_values(samples):
    """Holm 1979 as a table of ranks: which means differ from 0, and to which side."""
    values = [stats.ttest_1samp(sample, 0).pvalue for sample in samples]
    outcome = ["undecided"] * len(values)
    for step, place in enumerate(np.argsort(values)):
        if values[place] > 0.05 / (len(values) - step):
            break
        outcome[place] = "holds" if np.mean(samples[place]) > 0 else "fails"
    return outcome


@pytest.mark.parametrize("seed", range(20))
def test_intervals_at_steps_of_confidence_are_holms_p_values(seed):
    rng = np.random.default_rng(seed)
    samples = rng.normal(size=(6, 15)) + rng.choice([-1, -0.7, 0, 0.6, 0.8], (6, 1))
    table = pd.DataFrame(dict(enumerate(samples)))
    found = judge_all([of_mean(str(i), i) for i in table], {"demo": table})
    assert [verdict.after_holm for verdict in found] == by_p_values(samples)
    alone = [of_mean(str(i), i).judge(table).outcome for i in table]
    assert [verdict.outcome for verdict in found] == alone


def test_a_family_is_the_study_unless_a_claim_names_another():
    rng = np.random.default_rng(3)
    sample = rng.normal(size=30)
    sample *= np.sqrt(30) / sample.std(ddof=1)
    p_3_percent = sample - sample.mean() + stats.t.isf(0.015, 29)
    table = pd.DataFrame({"a": p_3_percent, "b": p_3_percent})
    together = judge_all([of_mean("a", "a"), of_mean("b", "b")], {"demo": table})
    assert [one.outcome for one in together] == ["holds"] * 2
    assert [one.after_holm for one in together] == ["undecided"] * 2
    split = judge_all([of_mean("a", "a", family="first"), of_mean("b", "b")], {"demo": table})
    assert [one.after_holm for one in split] == ["holds"] * 2


def test_what_has_no_interval_is_in_no_family():
    def nothing(table):
        raise ValueError("no runs")

    table = pd.DataFrame({"a": np.random.default_rng(1).normal(0.5, 1, 25)})
    fixed = Claim("fixed", "f.", "here", lambda table: Effect(2, 1.9, 2.1), "above", 1.0)
    none = Claim("none", "n.", "here", nothing, "above", 1.0)
    found = judge_all([fixed, none, of_mean("a", "a")], {"demo": table})
    assert [one.after_holm for one in found] == [None, None, found[2].outcome]


@pytest.mark.chance
def test_any_wrong_verdict_is_as_rare_as_one_alone():
    rng = chance.rng(8)
    wrong = alone = 0
    for _ in range(400):
        table = pd.DataFrame(rng.normal(size=(12, 8)))
        found = judge_all([of_mean(str(i), i) for i in table], {"demo": table})
        wrong += any(one.after_holm != "undecided" for one in found)
        alone += any(one.outcome != "undecided" for one in found)
    most = stats.binom.isf(chance.alpha(2), 400, 0.05)
    assert wrong <= most < alone  # alone 1 - 0.95^8, a third, are wrong


def test_every_effect_widens_with_the_confidence():
    rng = np.random.default_rng(2)
    values = rng.normal(1, 1, 30)
    makers = [
        lambda: effects.mean(values),
        lambda: effects.share(values > 1),
        lambda: effects.median(values),
        lambda: effects.extreme([values, values + 1], max),
        lambda: effects.furthest([values, values + 1]),
        lambda: effects.paired_ratio(np.exp(values), np.exp(values[::-1])),
        lambda: effects.difference_of_shares(values > 1, values[::-1] > 1.2),
        lambda: effects.bootstrap(values, lambda samples: samples.mean(axis=-1), 199),
        lambda: effects.winner({"a": values + 9, "b": values * 2}).lead["b"],
    ]
    for make in makers:
        narrow = make()
        with at_confidence(0.999):
            wide = make()
        assert wide.low < narrow.low and narrow.high < wide.high
    assert confidence() == CONFIDENCE == 0.95
    with pytest.raises(ValueError, match="level must be between 0 and 1, got 95"):
        at_confidence(95).__enter__()
