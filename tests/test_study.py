"""Studies on paper: factors to cells and seeds, effect sizes, claims and their verdicts."""

import dataclasses
import json
import re
from dataclasses import FrozenInstanceError, replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from inprocess import result_of, run_here
from scipy import stats

from ordered_mix.engine.batches import run_cell
from ordered_mix.engine.provenance import provenance
from ordered_mix.engine.run import load_study
from ordered_mix.engine.schedule import Schedule
from ordered_mix.parameterization.catalog import module, names
from ordered_mix.study import Claim, Effect, Experiment, Study, effects, seed_of
from ordered_mix.study.confidence import at_confidence
from ordered_mix.study.family import judge_all
from ordered_mix.study.grid import parse_settings
from ordered_mix.study.result import verdict_table
from ordered_mix.study.sentences import answer, sentences

FACTORS = {"model": ("plain", "fancy"), "n": (50, 200), "gap": (0, 0.5), "known": (True, None)}
SIZES = {
    "smoke": {"n": [50], "gap": [0.5]},
    "laptop": [{"n": [50]}, {"n": [50, 200], "model": ["plain"]}],
    "cluster": {},
}
WHOLE: dict = {"smoke": {}, "laptop": {}, "cluster": {}}


def rows(seed, **factors):
    return [{"value": seed}]


def make(**changes):
    computed = {"factors": FACTORS, "sizes": SIZES, "cell": rows}
    own = {one.name for one in dataclasses.fields(Experiment)} & changes.keys()
    computed |= {name: changes.pop(name) for name in own}
    fields = {"name": "demo", "question": "?", "source": "nobody"}
    if "experiments" not in changes:
        fields["experiments"] = {"demo": Experiment(**computed)}
    return Study(**{**fields, **changes})


def measure(factors):
    return Experiment(rows, factors, WHOLE)


def claim(effect, direction="above", margin=1.0):
    return Claim("name", "statement", "source", lambda table: effect, direction, margin)


# --- cells and seeds ------------------------------------------------------------------------------


def test_a_size_is_a_union_of_grids_without_repeats():
    study = make()
    assert len(study.cells("smoke")) == 4
    assert len(study.cells("cluster")) == 16
    laptop = study.cells("laptop")
    assert len(laptop) == 8 + 4  # the second grid adds n = 200 of one model
    assert len({cell.key for cell in laptop}) == len(laptop)
    assert [cell.factors["n"] for cell in laptop] == [50] * 8 + [200] * 4


def test_a_seed_is_the_hash_of_names_and_values():
    cell = make().cells("smoke")[0]
    text = json.dumps(["demo", sorted({**cell.factors, "gap": 0.5}.items())])
    digest = sha256(text.encode()).digest()
    assert cell.seed == int.from_bytes(digest[:8]) >> 1
    assert cell.key == digest.hex()[:32]
    assert cell.seed == seed_of("demo", **dict(reversed(cell.factors.items())))
    assert 0 <= cell.seed < 2**63


def test_no_cell_changes_when_values_are_added():
    before = {cell.key: cell.seed for cell in make().cells("cluster")}
    wider = make(factors={**FACTORS, "n": (20, 50, 200), "gap": (2, 0.25, 0.5, 0)})
    after = {cell.key: cell.seed for cell in wider.cells("cluster")}
    assert before.items() < after.items()
    whole = make(factors={"n": (1, 2)}, sizes=WHOLE)
    halves = make(factors={"n": (1, 1.5, 2)}, sizes=WHOLE)
    keys = {cell.key for cell in whole.cells()}
    assert keys < {cell.key for cell in halves.cells()}


def test_seeds_differ_between_cells_and_studies():
    cells = make().cells("cluster") + make(name="other").cells("cluster")
    assert len({cell.seed for cell in cells}) == len(cells)


def test_an_experiment_of_another_name_has_seeds_of_both_names():
    factors = {"n": (50, 200)}
    study = make(experiments={"demo": measure(factors), "second": measure(factors)})
    own, second = study.cells()[:2], study.cells()[2:]
    assert [cell.experiment for cell in study.cells()] == ["demo"] * 2 + ["second"] * 2
    assert [cell.seed for cell in own] == [seed_of("demo", n=n) for n in (50, 200)]
    assert [cell.seed for cell in second] == [seed_of("demo second", n=n) for n in (50, 200)]
    assert study.cells(experiments=["second"]) == second


def test_overrides_reach_the_experiments_that_know_the_factor():
    parts = {"a": measure({"n": (1, 2), "word": ("x", "y")}), "b": measure({"word": ("y", "z")})}
    study = make(experiments={**parts, "c": measure({"other": (1,)})})
    assert study.factors == {"n": (1, 2), "word": ("x", "y", "z"), "other": (1,)}
    cells = study.cells("laptop", {"word": ["x"], "n": [7]})
    assert [(cell.experiment, cell.factors) for cell in cells] == [
        ("a", {"n": 7, "word": "x"}), ("c", {"other": 1}),
    ]  # fmt: skip


def test_a_claim_takes_the_tables_of_its_experiments():
    def lengths(*tables):
        return Effect(*[float(10 * len(tables) + sum(map(len, tables)))] * 3)

    def asked(*of):
        return Claim("n", "s", "-", lengths, "above", 0.0, of=of)

    tables = {"a": pd.DataFrame({"x": [1]}), "b": pd.DataFrame({"x": [1, 2]})}
    verdicts = judge_all([asked(), asked("b"), asked("b", "a")], tables)
    assert [one.effect.estimate for one in verdicts] == [23.0, 12.0, 23.0]


def test_words_are_chosen_by_the_outcome():
    def said(estimate, words):
        effect = Effect(estimate, estimate - 1, estimate + 1, 9)
        claim = Claim("n", "s", "-", lambda table: effect, "above", 0.0, words=words)
        return list(sentences([claim.judge(pd.DataFrame())]))

    three = ("Yes, {0:g}.", "No, {0:g}.", "Open: {1:g} to {2:g}.")
    assert [said(value, three) for value in (5, -5, 0.5)] == [
        ["Yes, 5."], ["No, -5."], ["Open: -0.5 to 1.5."],
    ]  # fmt: skip
    assert said(5, "It is {0:g}.") == ["It is 5."] and said(5, "") == []


def test_true_and_one_are_different_values():
    study = make(factors={"a": (1,), "b": (True,)}, sizes=WHOLE)
    (cell,) = study.cells()
    assert cell.seed != seed_of("demo", a=True, b=1)


def test_values_are_plain_scalars():
    factors = {"x": np.linspace(0, 1, 3), "n": np.array([1, 2]), "z": (-0.0, 1)}
    study = make(factors=factors, sizes=WHOLE)
    assert study.factors == {"x": (0.0, 0.5, 1.0), "n": (1, 2), "z": (0.0, 1.0)}
    assert {type(value) for cell in study.cells() for value in cell.factors.values()} == {
        int, float,
    }  # fmt: skip


def test_overrides_replace_the_values_of_a_size():
    study = make()
    cells = study.cells("smoke", {"n": [77, 50], "gap": [1]})
    assert {(cell.factors["n"], cell.factors["gap"]) for cell in cells} == {(77, 1.0), (50, 1.0)}
    assert type(cells[0].factors["gap"]) is float
    assert parse_settings(["gap=1,.5", "model=fancy", "known=None"], study.factors) == {
        "gap": (1.0, 0.5), "model": ("fancy",), "known": (None,),
    }  # fmt: skip
    named = {"contender": ("unordered", "ordered, along x")}
    assert parse_settings(["contender=ordered, along x"], named) == {
        "contender": ("ordered, along x",)
    }


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda: make().cells("huge"), "size must be one of smoke, laptop, cluster, got 'huge'"),
        (lambda: make().cells("smoke", {"modle": [1]}), "got 'modle', did you mean 'model'"),
        (lambda: make().cells("smoke", {"model": ["fancyy"]}), "did you mean 'fancy'"),
        (lambda: make().cells("smoke", {"n": [1.5]}), "'n' must be whole numbers such as 50, 200"),
        (lambda: make().cells("smoke", {"n": ["50"]}), "got '50'"),
        (lambda: make().cells("smoke", {"n": []}), "'n' must have at least one value"),
        (lambda: make().cells("smoke", {"n": 50}), "'n' must have a sequence of values, got 50"),
        (lambda: make().cells("smoke", {"gap": [np.inf]}), "finite numbers"),
        (lambda: make().cells("smoke", {"known": [False]}), "one of True, None, got False"),
        (lambda: make(factors={"seed": [1]}), "other than seed"),
        (lambda: make(factors={"a b": [1]}), "identifiers"),
        (lambda: make(factors={"a": [[1]]}), "finite numbers, strings, bools or None"),
        (lambda: make(name="a b"), "name must be an identifier"),
        (lambda: make(sizes={"smoke": {}}), "sizes must be smoke, laptop, cluster, got smoke"),
        (lambda: make(sizes={**SIZES, "smoke": {"m": [1]}}), "factor must be one of model, n"),
        (lambda: make(structure=("m",)), "factor must be one of"),
        (lambda: make(experiments={}), "experiments must be at least one, got none"),
        (
            lambda: make(experiments={"a b": measure({"n": (1,)})}),
            "identifiers as names, got 'a b'",
        ),
        (lambda: make().cells(experiments=["dem"]), "of demo, got 'dem', did you mean 'demo'"),
        (
            lambda: make(claims=(replace(claim(None), of=("x",)),)),
            "'name' must be of demo, got 'x'",
        ),
        (lambda: replace(claim(None), words="{3}"), "no more than {0}, {1} and {2}, got '{3}'"),
        (lambda: make(chief=("x",)), "chief must name claims of the study, got x"),
        (lambda: make(claims=(claim(None),), answer=("name",)), "claims that have words, got name"),
        (lambda: make(time_limit=0), "time_limit must be positive"),
        (lambda: parse_settings(["n"], FACTORS), "written factor=value,value, got 'n'"),
        (lambda: parse_settings(["m=1"], FACTORS), "factor must be one of"),
        (lambda: parse_settings(["n=many"], FACTORS), "factor 'n' must be one of 50, 200"),
    ],
)
def test_bad_input_is_one_sentence(act, message):
    with pytest.raises(ValueError) as error:
        act()
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_study_is_frozen():
    with pytest.raises(FrozenInstanceError):
        make().name = "another"


# --- effects --------------------------------------------------------------------------------------


def test_mean_has_students_interval():
    sample = np.random.default_rng(1).normal(2, 3, 12)
    effect = effects.mean(sample)
    low, high = stats.ttest_1samp(sample, 0).confidence_interval(0.95)
    np.testing.assert_allclose(effect[:3], [sample.mean(), low, high], rtol=1e-12)
    assert effect.observations == 12


def test_extreme_means_hold_together():
    rng = np.random.default_rng(3)
    samples = [rng.normal(size=8) + shift for shift in (0.0, 0.5)]
    each = [effects.mean(sample, 0.975) for sample in samples]
    largest = effects.extreme(samples, max)
    assert largest.low == max(one.low for one in each)
    assert largest.high == max(one.high for one in each)
    assert effects.extreme([samples[0]], min) == effects.mean(samples[0])
    with pytest.raises(ValueError, match="at least one"):
        effects.extreme([], max)


def test_rows_of_a_table_have_every_column():
    table = pd.DataFrame(
        {"measure": list("abca"), "n": [1, 1, 2, 2], "value": [1.0, 2.0, 3.0, 4.0]}
    )
    assert effects.rows_of(table, measure="a", n=2)["value"].tolist() == [4]
    found = effects.rows_of(table, ("value", "lost"), measure=("a", "c"))
    assert found["value"].tolist() == [1, 3, 4] and found["lost"].isna().all()
    assert "lost" in effects.rows_of(table, ("lost",), measure="d") and "lost" not in table


def test_pairs_are_complete():
    rows = pd.DataFrame(
        {"who": list("aabbc"), "unit": [1, 2, 1, 2, 1], "value": [1.0, 2.0, 3.0, 4.0, 5.0]}
    )
    found = effects.paired(rows, "who", ("b", "a"), "value", ["unit"])
    assert found.to_numpy().tolist() == [[3, 1], [4, 2]]
    with pytest.raises(ValueError, match="1 of 2 data sets have no value for every who"):
        effects.paired(rows, "who", ("a", "c"), "value", ["unit"])
    with pytest.raises(ValueError, match="no such runs of a"):
        effects.paired(rows.iloc[:0], "who", ("a",), "value", ["unit"])
    with pytest.raises(ValueError, match="no such runs of d, e"):
        effects.paired(rows, "who", ("a", "d", "e"), "value", ["unit"])


def test_paired_ratio_is_that_of_logs():
    rng = np.random.default_rng(2)
    unit = np.exp(rng.normal(0, 2, 30))
    effect = effects.paired_ratio(3 * unit * np.exp(rng.normal(0, 0.1, 30)), unit)
    assert effect.low < 3 < effect.high
    assert effect.high / effect.low < 1.2  # pairing removes what the units differ in


def test_a_geometric_mean_weighs_units_alike_and_loses_none():
    index = pd.MultiIndex.from_product([[1, 2, 3], ["a", "b"]], names=["unit", "run"])
    ratios = pd.Series([2.0, 8.0, 1.0, 4.0, 0.5, 2.0], index=index)
    effect = effects.geometric_mean(ratios, "unit")
    assert effect == effects.paired_ratio([4, 2, 1], [1, 1, 1]) and effect.observations == 3
    assert effects.less(effect, 2)[:3] == pytest.approx(np.array(effect[:3]) - 2)
    for lost in (ratios.iloc[1:], ratios.where(ratios != 8.0), ratios.iloc[:0]):
        with pytest.raises(ValueError, match="every run of every data set"):
            effects.geometric_mean(lost, "unit")


def test_extreme_shares_hold_together():
    few, many = [True] * 3 + [False] * 17, [True] * 15 + [False] * 5
    with at_confidence(0.975):
        each = [effects.share(few), effects.share(many)]
    assert effects.extreme_share([few, many], np.max)[:3] == pytest.approx(each[1][:3])
    assert effects.extreme_share([few, many], np.min)[:3] == pytest.approx(each[0][:3])
    assert effects.extreme_share([few], np.min) == effects.share(few)
    with pytest.raises(ValueError, match="at least one"):
        effects.extreme_share([], np.max)


def test_share_is_clopper_pearson():
    effect = effects.share([True] * 3 + [False] * 17)
    # roots of the binomial tails: P(X >= 3 | low) = P(X <= 3 | high) = 0.025
    assert effect.estimate == 0.15
    assert stats.binom.sf(2, 20, effect.low) == pytest.approx(0.025, rel=1e-6)
    assert stats.binom.cdf(3, 20, effect.high) == pytest.approx(0.025, rel=1e-6)
    assert effects.share([False] * 50).low == 0


def test_median_covers_as_often_as_it_says():
    rng = np.random.default_rng(3)
    samples = rng.standard_cauchy((2000, 25))
    found = [effects.median(sample) for sample in samples]
    covered = np.mean([effect.low <= 0 <= effect.high for effect in found])
    assert 0.945 < covered < 0.985  # exact: 1 - 2 P(Binomial(25, 1/2) <= 7) = 0.957
    assert effects.median(range(1, 7))[:3] == (3.5, 1, 6)


def test_bootstrap_draws_units_whole():
    rng = np.random.default_rng(4)
    center = rng.normal(0, 1, 40)
    units = np.repeat(center[:, None], 5, axis=1)

    def mean(samples):
        return samples.mean(axis=(1, 2))

    effect = effects.bootstrap(units, mean)
    wanted = effects.mean(center)
    assert effect.estimate == pytest.approx(wanted.estimate)
    width = (effect.high - effect.low) / (wanted.high - wanted.low)
    assert 0.85 < width < 1.1  # numbers drawn one by one would give less than half of it
    assert effect == effects.bootstrap(units, mean) and effect.observations == 40


def test_the_bootstrap_of_a_biased_statistic_covers():
    """The rank correlation of few units: percentiles of resamples lie too low (true value .5)."""
    rng = np.random.default_rng(6)

    def rank_correlation(samples):
        # Pearson's of the ranks, whose squares differ where there are ties
        ranks = stats.rankdata(samples, axis=1)
        ranks -= ranks.mean(axis=1, keepdims=True)
        square = np.sum(ranks**2, axis=1)
        return np.prod(ranks, axis=-1).sum(axis=1) / np.sqrt(np.prod(square, axis=-1))

    covered, estimates = [], []
    for _ in range(60):
        x, noise = rng.normal(size=(2, 12))
        units = np.stack([x, x + np.sqrt(3) * noise], axis=1)
        effect = effects.bootstrap(units, rank_correlation, resamples=199)
        assert effect.estimate == pytest.approx(stats.spearmanr(units).statistic)
        covered.append(effect.low <= 0.483 <= effect.high)  # (6 / pi) asin(1 / 4)
        estimates.append(effect.estimate)
    assert np.mean(covered) > 0.8  # probability 1e-4 of fewer if it covers 95%
    assert abs(np.mean(estimates) - 0.46) < 0.15


def test_differences_of_shares_are_decided_by_the_exact_test_of_mcnemar():
    for favour, against in ((10, 21), (3, 14), (30, 10), (5, 5)):
        first = np.repeat([True, False, True, False], [favour, against, 20, 30])
        second = np.repeat([False, True, True, False], [favour, against, 20, 30])
        effect = effects.difference_of_shares(first, second)
        assert effect.estimate == pytest.approx((favour - against) / len(first))
        p = stats.binomtest(favour, favour + against).pvalue
        assert (effect.low > 0 or effect.high < 0) == (p < 0.05)
    alike = effects.difference_of_shares([True] * 20, [True] * 20)
    assert alike.estimate == 0 and alike.high == -alike.low == pytest.approx(1 - 0.025 ** (1 / 20))


def test_exact_reaches_as_far_as_the_grid_moves_it():
    assert effects.exact(2.0, 2.25) == Effect(2.0, 1.75, 2.25)


def test_a_share_of_a_grid_is_known_to_a_point_at_best():
    none = np.zeros(50, dtype=bool)
    assert effects.share_of_grid(none, none[::2]) == Effect(0.0, -0.02, 0.02)
    half = np.arange(100) < 50
    assert effects.share_of_grid(half, [True, True, False])[:3] == pytest.approx(
        (1 / 2, 1 / 3, 2 / 3)
    )
    assert effects.share_of_grid(half, half).reach is not None


@pytest.mark.parametrize(
    "act",
    [
        lambda: effects.share_of_grid([], []),
        lambda: effects.mean([1.0]),
        lambda: effects.mean([1.0, np.nan]),
        lambda: effects.paired_ratio([1, 2], [1, 2, 3]),
        lambda: effects.paired_ratio([1, 2], [1, 0]),
        lambda: effects.share([]),
        lambda: effects.difference_of_shares([True], [True, False]),
        lambda: effects.median(range(5)),
        lambda: effects.exact(np.nan, 1.0),
        lambda: effects.winner({"a": [1, 2]}),
        lambda: effects.winner({"a": [1, 2], "b": [1, 2, 3]}),
        lambda: effects.bootstrap([[1.0]], lambda samples: np.zeros(len(samples))),
        lambda: effects.bootstrap([1.0, 2.0], lambda samples: np.full(len(samples), np.nan)),
    ],
)
def test_an_effect_without_enough_data_is_an_error(act):
    with pytest.raises(ValueError):
        act()


# --- winners --------------------------------------------------------------------------------------


def test_a_clear_winner_is_named_and_a_close_one_is_not():
    rng = np.random.default_rng(5)
    unit = rng.normal(0, 5, 20)  # shared by all contenders, removed by pairing
    first, second, third = rng.normal(0, 1, (3, 20))
    clear = effects.winner({"a": unit + 5 + first, "b": unit + second, "c": unit + third})
    assert (clear.name, clear.tied) == ("a", ("a",))
    close = effects.winner({"a": unit + first, "b": unit + 5 + second, "c": unit + 5.1 + third})
    assert close.name == "tie"
    assert set(close.tied) == {"b", "c"}
    assert close.lead["a"].low > 0
    least = effects.winner({"a": unit + 5 + first, "b": unit + second}, larger=False)
    assert least.name == "b"


def test_a_wrong_winner_is_rare():
    rng = np.random.default_rng(6)
    draws = rng.normal(0, 1, (1000, 6, 20))
    named = [effects.winner(dict(zip("abcdef", draw, strict=True))).name for draw in draws]
    # any of the six may win by chance, each with at most half of 5%
    wrong = {name: named.count(name) / 1000 for name in "abcdef"}
    assert max(wrong.values()) < 0.025
    assert named.count("tie") > 850


# --- claims ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("direction", "low", "high", "outcome"),
    [
        ("above", 1.1, 2.0, "holds"),
        ("above", 0.9, 2.0, "undecided"),
        ("above", 0.0, 0.9, "fails"),
        ("above", 1.0, 2.0, "undecided"),  # an end on the margin decides nothing
        ("below", 0.0, 0.9, "holds"),
        ("below", 0.0, 1.1, "undecided"),
        ("below", 1.1, 2.0, "fails"),
        ("within", -0.9, 0.9, "holds"),
        ("within", -1.1, 0.9, "undecided"),
        ("within", -2.0, 2.0, "undecided"),
        ("within", 1.1, 2.0, "fails"),
        ("within", -2.0, -1.1, "fails"),
        ("outside", 1.1, 2.0, "holds"),
        ("outside", -2.0, -1.1, "holds"),
        ("outside", -0.9, 0.9, "fails"),
        ("outside", 0.9, 1.1, "undecided"),
        ("above", np.nan, np.nan, "undecided"),
        ("above", 2.0, np.inf, "holds"),
    ],
)
def test_a_claim_is_decided_only_by_a_whole_interval(direction, low, high, outcome):
    effect = Effect((low + high) / 2, low, high, 10)
    verdict = claim(effect, direction).judge(pd.DataFrame())
    assert verdict.outcome == outcome
    assert verdict.effect is effect


def test_a_claim_that_cannot_be_tested_is_undecided_and_says_why():
    broken = Claim("n", "s", "s", lambda table: effects.mean(table["missing"]), "above", 0.0)
    verdict = broken.judge(pd.DataFrame({"x": [1.0]}))
    assert (verdict.outcome, verdict.effect) == ("undecided", None)
    assert "KeyError: 'missing'" in verdict.reason


def test_a_reason_has_the_numbers():
    verdict = claim(Effect(2.5, 2.0, 3.0, 20)).judge(pd.DataFrame())
    assert verdict.reason == "2.5 [2, 3], claimed above 1, 20 observations."


@pytest.mark.parametrize(
    ("direction", "margin"), [("over", 1.0), ("above", np.nan), ("within", -1.0)]
)
def test_a_claim_must_be_testable(direction, margin):
    with pytest.raises(ValueError, match=r"direction|margin"):
        claim(Effect(0, 0, 0), direction, margin)


def test_a_table_of_verdicts_has_a_row_for_each():
    given = [claim(Effect(2, 1.5, 3, 7)), claim(None)]
    table = verdict_table([one.judge(pd.DataFrame()) for one in given])
    assert table["outcome"].tolist() == ["holds", "undecided"]
    assert table.loc[0, ["effect", "low", "high", "observations"]].tolist() == [2, 1.5, 3, 7]
    assert table.loc[1, ["effect", "low"]].isna().all()


# --- what a cell returns --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        ([{"n": 1}], "must not repeat 'n'"),
        ([{"status": 1}], "must not repeat 'status'"),
        ([{"x": [1, 2]}], "column 'x' must hold scalars, got list"),
        ({"x": 1}, "must return a list of rows, got dict"),
        (None, "must return a list of rows, got NoneType"),
    ],
)
def test_what_a_cell_must_not_return_is_a_failure(returned, message):
    (cell, *_) = make().cells("smoke")
    outcome = run_cell(Experiment(lambda seed, **factors: returned, FACTORS, SIZES), cell)
    assert outcome.status == "failed"
    assert message in outcome.error
    assert outcome.rows == []


def test_numpy_scalars_become_plain_ones():
    (cell, *_) = make().cells("smoke")
    values = {"a": np.float64(0.1), "b": np.int32(3), "c": np.bool_(True), "d": np.array(2.0)}
    outcome = run_cell(Experiment(lambda seed, **factors: [values], FACTORS, SIZES), cell)
    assert [type(value) for value in outcome.rows[0].values()] == [float, int, bool, float]


# --- provenance -----------------------------------------------------------------------------------


def test_provenance_names_no_folder_and_no_host(monkeypatch):
    words = "run /home/me/mine.py --set n=1,2 --out=/x/y --dask tcp://node7:8786 --dask=node8:8786"
    words = ["/home/me/bin/ordered-mix", *words.split(), "--out", "studies/results/demo"]
    monkeypatch.setattr("sys.argv", words)
    record = provenance(make(), "smoke", {})
    assert record["command"] == (
        "ordered-mix run mine.py --set n=1,2 --out=y --dask ADDRESS --dask=ADDRESS "
        "--out studies/results/demo"
    )
    text = json.dumps(record)
    assert not re.search(r"[\"' =]/\w", text) and "node" not in text


# --- schedule -------------------------------------------------------------------------------------


def test_cells_of_one_structure_stay_on_one_worker():
    cells = make(structure=("model",)).cells("cluster")
    schedule, held = Schedule(cells), {"one": [], "two": []}
    while schedule:
        for worker, structures in held.items():
            batch = schedule.take(worker, 2)
            if batch:
                assert len({cell.structure for cell in batch.cells}) == 1
                structures.append(batch.structure)
                schedule.finished(batch, 1.0, 2)
    assert {frozenset(structures) for structures in held.values()} == {
        frozenset([("demo", "plain")]), frozenset([("demo", "fancy")]),
    }  # fmt: skip


def test_batches_last_a_quarter_second():
    study = make(factors={"i": range(4000)}, sizes=WHOLE)
    schedule, sizes = Schedule(study.cells()), []
    for _ in range(6):
        batch = schedule.take("one", 2)
        sizes.append(len(batch.cells))
        schedule.finished(batch, 0.002 * len(batch.cells), 2)
    assert sizes == [1, 8, 64, 125, 125, 125]
    schedule.finished(batch, 10.0 * len(batch.cells), 2)
    assert len(schedule.take("one", 2).cells) == 1


def test_the_last_batches_are_shared_out():
    study = make(factors={"i": range(40)}, sizes=WHOLE)
    schedule = Schedule(study.cells())
    schedule.finished(schedule.take("one", 2), 1e-6, 2)
    taken = [len(schedule.take(worker, 2).cells) for worker in ("one", "two")]
    assert taken == [8, 8]
    assert len(schedule.take("one", 2).cells) == 6


def test_a_cell_that_kills_its_worker_takes_no_other_with_it():
    study = make(factors={"i": range(20)}, sizes=WHOLE)
    cells = study.cells()
    schedule, poison, finished = Schedule(cells), cells[7].key, []
    given_up = []
    schedule.finished(schedule.take("w", 1), 1e-6, 1)
    while schedule:
        batch = schedule.take("w", 1)
        if any(cell.key == poison for cell in batch.cells):
            given_up += schedule.lost(batch)
        else:
            finished += batch.cells
    assert [cell.key for cell in given_up] == [poison]
    assert len(finished) == 18  # and one that was taken first


# --- studies that ship ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", names("study"))
def test_every_study_states_its_question_and_sources(name):
    study = load_study(name)
    assert study.name == name
    assert module(name, "study").__doc__
    assert study.question.endswith("?")
    assert study.source
    assert len(study.cells("smoke")) <= len(study.cells("laptop")) <= len(study.cells("cluster"))
    labels = [one.name for one in study.claims]
    assert labels and len(set(labels)) == len(labels)
    assert all(one.source and one.statement for one in study.claims)


def test_the_study_in_the_documentation_runs(tmp_path):
    text = (Path(__file__).parents[1] / "docs" / "studies.md").read_text(encoding="utf-8")
    file = tmp_path / "mean_error.py"
    file.write_text(text.split("```python\n")[1].split("```")[0], encoding="utf-8")
    (verdict,) = run_here(load_study(str(file)), tmp_path, "laptop").verdicts
    assert verdict.outcome == "holds"
    assert verdict.effect.low < 4 < verdict.effect.high


# Spectral radii at the truth with weight 1/2, by quadrature: separation, EM, relative ECM.
RATES = [(0.1, 0.995024835, 0.997512417), (0.5, 0.888472600, 0.944236300),
         (1.0, 0.656736047, 0.828368024), (2.0, 0.449599509, 0.633044164),
         (4.0, 0.274389635, 0.510827741)]  # fmt: skip


@pytest.mark.parametrize(("separation", "em", "ecm"), RATES)
def test_em_rates_has_the_reference_values(separation, em, ecm):
    cell = load_study("em_rates").experiments["em_rates"].cell
    for estimator, wanted in (("em", em), ("ecm", ecm)):
        (row,) = cell(0, estimator=estimator, weight=0.5, separation=separation, step=0.02)
        assert row["theory"] == pytest.approx(wanted, abs=1e-9)
        assert row["rate"] == pytest.approx(wanted, abs=1e-7)


def test_words_of_em_rates_follow_its_table(tmp_path):
    result = run_here(load_study("em_rates"), tmp_path, "smoke", {"weight": [0.5]})
    assert "the slower one, with 2.00 passes" in answer(result)
    (table,) = result.tables.values()
    faster = table.assign(rate=table["rate"] ** (1 + 9 * (table["estimator"] == "ecm")))
    assert answer(result_of(result.study, faster)) == (
        "They do not close in at the rates of theory. "
        "Near the singularity relative ECM is the faster one."
    )
    assert answer(result_of(result.study, table.iloc[:0])) == ""
