"""Kinds of columns: what is particular is said, and advice is what the cause asks for."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.special import ndtr

from ordered_mix import fit
from ordered_mix.data import Data
from ordered_mix.draws.checks import checks, transforms
from ordered_mix.fitted.description import does_the_mixture_describe_the_data
from ordered_mix.fitted.particular import edges, far_values, normal_logarithms, particular
from ordered_mix.fitted.questions import chosen_components
from ordered_mix.mixture import Mixture

RNG = np.random.default_rng(20)
NORMAL = RNG.normal(0, 1, 400)
KINDS = {
    "codes": (
        np.repeat([1.0, 2.0, 3.0, 4.0], [40, 60, 90, 60]),
        "4 different values only (1, 2, 3",
    ),
    "two values": (np.repeat([0.0, 1.0], [70, 30]), "2 different values only (0, 1)"),
    "counts": (RNG.poisson(2, 400).astype(float), "different values only (0, 1, 2"),
    "zeros": (np.append(NORMAL[:200], np.zeros(120)), "0 is there 120 of 320 times"),
    "rounded zeros": (np.round(np.append(9 * NORMAL, np.zeros(160))), "0 is there 1"),
    "sentinel": (np.append(20 + NORMAL[:200], [-999.0] * 6), "-999 (6 of 206)"),
    "outlier": (np.append(NORMAL[:150], 57.0), "57 (once)"),
    "limit": (np.maximum(NORMAL, -0.5), "If it is a code or a limit of detection"),
    "rounded in part": (
        np.where(np.arange(400) % 3, np.round(50 + 10 * NORMAL), 10 * np.round(5 + NORMAL)),
        "of the values are multiples of 10, where",
    ),
}
PLAIN = {
    "normal": NORMAL,
    "heavy tails": np.random.default_rng(3).standard_t(2, 500),
    "ties": np.round(70 + 10 * NORMAL) / 5,
    "three lines": np.concatenate([RNG.normal(m, 0.02, 100) for m in (1, 2, 4)]),
    "offset": 1e9 + np.append(NORMAL, 6 + NORMAL),
    "lognormal": np.exp(0.8 * NORMAL),
    "tiny": np.array([1.0, 2.0, 9.0]),
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_particular_is_said_once(kind):
    y, said = KINDS[kind]
    [sentence] = particular(Data(y))
    assert said in sentence
    [mirrored] = particular(Data(-y))
    plain, other = (text.replace("-", "").replace("<", ">") for text in (sentence, mirrored))
    assert other == plain or "different" in mirrored


@pytest.mark.parametrize("kind", PLAIN)
def test_nothing_is_said_of_ordinary_data(kind):
    assert particular(Data(PLAIN[kind])) == []


def test_three_values_are_too_few_to_call_one_far():
    assert far_values(Data([1.0, 2.0, 9.0])) == ""


def test_logarithms_are_advised_where_they_are_normal():
    logarithmic = np.exp(0.8 * NORMAL)
    found = fit(logarithmic, 2, estimators=("em", "map"))
    assert any("One normal for the logarithms" in note for note in found.notes)
    own, bic = np.log(logarithmic), fit(np.log(logarithmic), 1, estimators=("em",)).bic
    assert f"({bic + 2 * own.sum():.1f})" in found.notes[-1]
    for y in (50 + 7 * NORMAL, 20 + np.append(NORMAL, 6 + NORMAL), NORMAL):
        assert not normal_logarithms(Data(y), fit(y, 2, estimators=("em", "map")).bic)


def test_numbers_in_answers_tell_values_of_shifted_data_from_each_other():
    y = 1e9 + np.append(NORMAL, 20.5)
    one = Mixture([1.0], [1e9], [1.0])
    answer = does_the_mixture_describe_the_data(
        checks(y, Mixture.stack([one] * 400).reshape(4, 100)), None
    ).answer
    assert "the value 1000000020" in answer


@pytest.mark.parametrize("kind", ["sentinel", "outlier"])
def test_what_is_said_to_fit_the_rest_does(kind):
    """The condition that --where is advised with keeps all but the far values, at either end."""
    y = KINDS[kind][0]
    for values in (y, -y, 1e6 + y):
        [sentence] = particular(Data(values))
        sign, limit = re.search(r"--where 'COLUMN([<>])(\S+)'", sentence).groups()
        kept = values < float(limit) if sign == "<" else values > float(limit)
        assert kept.sum() == {"sentinel": 200, "outlier": 150}[kind]
        assert particular(Data(values[kept])) == []


@pytest.fixture(scope="module")
def spiked():
    """A spike at 0 among continuous data, as a mixture whose narrow component has its share."""
    rng = np.random.default_rng(104)
    y = np.where(rng.random(400) < 0.3, 0.0, rng.normal(5, 2, 400))
    one = Mixture([np.mean(y == 0), np.mean(y != 0)], [0.0, y[y != 0].mean()], [0.004, 2.1])
    return y, one


def test_ties_among_continuous_data_are_no_misfit(spiked):
    y, one = spiked
    found = checks(y, Mixture.stack([one] * 400).reshape(4, 100))
    assert min(check.p for check in found.named().values()) > 0.05
    spread = Mixture(one.w, one.mu, [1.0, 2.1])  # as heavy, but much wider than the spike
    wide = checks(y, Mixture.stack([spread] * 400).reshape(4, 100))
    assert wide.ks.p < 1e-6 and abs(wide.ks.at) < 2
    light = Mixture([0.1, 0.9], one.mu, one.sigma)
    assert checks(y, Mixture.stack([light] * 400).reshape(4, 100)).ks.p < 1e-6


def test_a_value_is_a_cell_only_where_it_repeats():
    y = np.array([0.0, 1.0, 1.0, 1.7, 4.1])
    one = Mixture([1.0], [1.0], [2.0])
    below, above = transforms(y, one.reshape(1), 0.0)
    ends = ndtr((np.array([0.5, 1.35]) - 1) / 2)
    middle = ends[0] + np.array([0.25, 0.75]) * (ends[1] - ends[0])
    np.testing.assert_allclose(below[0, 1:3], middle)
    np.testing.assert_allclose(below[0, [0, 3, 4]], ndtr((y[[0, 3, 4]] - 1) / 2))
    np.testing.assert_allclose(below + above, 1)


def test_components_that_share_all_points_hold_some():
    """Each point is most probably of the other one, yet neither is the prior's doing."""
    y = 50 + 7 * NORMAL
    both = Mixture([0.3, 0.7], [50.0, 50.4], [6.5, 7.0])
    fitted = replace(fit(y, 2, estimators=("em", "map")), mode=both)
    assert set(fitted.points["component"]) == {2}
    assert fitted.lone == {} and not fitted.estimates["lone"].any()


def test_a_component_too_many_is_said_to_be_one():
    one = fit(50 + 7 * NORMAL, 2, estimators=("em", "map"))
    [asked] = [verdict for verdict in one.verdicts if verdict.key == "component"]
    assert asked.answer == "No: 1 component will do." and asked.values["bic_difference"] < -2
    assert "component 2 is not supported by the data" in one.headline
    two = fit(np.append(NORMAL, 6 + NORMAL), 2, estimators=("em",))
    [asked] = [verdict for verdict in two.verdicts if verdict.key == "component"]
    own = two.criteria["bic"][0]
    alone = fit(np.append(NORMAL, 6 + NORMAL), 1, estimators=("em",)).criteria["bic"][0]
    assert asked.status == "good" and asked.values["bic_difference"] == pytest.approx(alone - own)
    spike = fit(KINDS["zeros"][0], 2, estimators=("em", "map"))
    [asked] = [verdict for verdict in spike.verdicts if verdict.key == "component"]
    assert asked.status == "good" and "posterior mode" in asked.reason


def test_em_cannot_count_components_where_a_value_repeats():
    for kind, value in (("zeros", "0 (120 of 320)"), ("outlier", "57 (once)")):
        found = fit(KINDS[kind][0], "1-3", estimators=("em",))
        [asked] = [verdict for verdict in found.verdicts if verdict.key == "components"]
        assert asked.status == "bad" and value in asked.answer and value in found.headline
        assert found.criteria["in_the_way"].str.contains(value, regex=False).any()


def test_evidence_counts_components_where_em_cannot():
    table = pd.DataFrame(
        {"components": [1, 2, 3], "bic": [10.0, np.nan, np.nan], "in_the_way": ["", "0", "0"]}
    )
    assert chosen_components(table) == 1
    assert chosen_components(table.assign(probability=[0.0, 0.9, 0.1])) == 2
    clear = table.assign(probability=[0.0, 0.9, 0.1], in_the_way="", bic=[3.0, 2.0, 1.0])
    assert chosen_components(clear) == 3


def test_ends_where_the_density_breaks_off():
    """Known ends of simulated data, at any location and scale; normals fall off."""
    uniform = np.random.default_rng(5).random(2000)
    assert edges(Data(uniform)) == [uniform.min(), uniform.max()]
    half = np.abs(np.random.default_rng(6).normal(0, 1, 2000))
    for location, scale in ((0.0, 1.0), (1e6, 5.0)):
        y = location + scale * half
        assert edges(Data(y)) == [y.min()] and edges(Data(-y)) == [-y.min()]
    assert edges(Data(np.random.default_rng(7).normal(0, 1, 2000))) == []
    assert edges(Data(np.round(10 * uniform))) == [] and edges(Data(uniform[:50])) == []


def test_advice_follows_from_the_cause():
    y = np.append(NORMAL, 6 + NORMAL)
    one = Mixture([1.0], [y.mean()], [y.std()])
    draws = Mixture.stack([one] * 400).reshape(4, 100)
    found = checks(y, draws)
    answers = {
        "try more components": does_the_mixture_describe_the_data(found, None),
        "cut off at 0.3, where no": does_the_mixture_describe_the_data(found, None, [0.3]),
        "cut off at 0 and 1, where": does_the_mixture_describe_the_data(found, None, [0.0, 1.0]),
        "more components would coincide": does_the_mixture_describe_the_data(
            found, None, crowded=True
        ),
    }
    for advice, verdict in answers.items():
        assert verdict.status == "bad" and advice in verdict.answer


@pytest.mark.parametrize(
    ("kind", "k", "sds"),
    [("three lines", 3, (0.02, 0.02, 0.02)), ("offset", 2, (1.0, 1.0)), ("sentinel", 2, None)],
)
def test_narrow_far_and_shifted_components_are_found(kind, k, sds):
    y = {**PLAIN, "sentinel": KINDS["sentinel"][0]}[kind]
    found = fit(y, k, estimators=("em", "map"))
    mode = found.mode
    if sds is None:
        assert mode.mu == pytest.approx([-999, 20], abs=0.3)
        assert mode.w[0] == pytest.approx(6 / 206, abs=0.02)
    else:
        assert mode.sigma == pytest.approx(sds, rel=0.15)
        assert found.maximum.mixture.sigma == pytest.approx(sds, rel=0.15)
