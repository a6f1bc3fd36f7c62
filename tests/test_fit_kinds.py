"""Kinds of columns: what is particular is said, and advice is what the cause asks for."""

import numpy as np
import pytest

from ordered_mix import fit
from ordered_mix.data import Data
from ordered_mix.draws.checks import checks
from ordered_mix.fitted.description import does_the_mixture_describe_the_data
from ordered_mix.fitted.particular import edges, far_values, particular
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
    assert mirrored.replace("-", "") == sentence.replace("-", "") or "different" in mirrored


@pytest.mark.parametrize("kind", PLAIN)
def test_nothing_is_said_of_ordinary_data(kind):
    assert particular(Data(PLAIN[kind])) == []


def test_three_values_are_too_few_to_call_one_far():
    assert far_values(Data([1.0, 2.0, 9.0])) == ""


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
