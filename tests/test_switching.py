"""Label switching measured on chains whose labellings are known."""

import chance
import numpy as np
import pytest

from ordered_mix.draws.switching import gap_mass, switching

W, SIGMA = np.array([0.5, 0.5]), np.array([1.0, 1.0])


def chains(*labellings, means=(0.0, 4.0)):
    """Draws of means whose labelling is given by a string of 0 and 1 for each chain."""
    means = np.asarray(means)
    return np.stack(
        [np.stack([means if c == "0" else means[::-1] for c in row]) for row in labellings]
    )


def test_stuck_chains_in_different_modes():
    result = switching(W, chains("0000", "0000", "1111"), SIGMA)
    assert result.switching_rate == 0
    assert result.chain_disagreement == pytest.approx(2 / 3)
    assert result.modes_visited == 2
    assert result.modes_possible == 2
    np.testing.assert_allclose(result.occupancy, [2 / 3, 1 / 3])
    np.testing.assert_array_equal(result.labellings, [[0, 1], [1, 0]])
    assert np.all(np.isinf(result.first_passage))
    lines = result.interpretation()
    assert "differently" in lines["chain_disagreement"]
    assert "started in different ones" in lines["relative_entropy"]


def test_switching_chains_that_agree():
    result = switching(W, chains("0011", "1001"), SIGMA)
    assert result.switching_rate == pytest.approx(3 / 6)
    assert result.chain_disagreement == 0
    assert result.relative_entropy == pytest.approx(1)
    np.testing.assert_array_equal(result.first_passage, [2, 1])
    assert "about equally" in result.interpretation()["relative_entropy"]


@pytest.mark.chance
def test_entropy_is_relative_to_all_labellings():
    rng = chance.rng(1)
    mu = rng.permuted(np.broadcast_to(np.arange(3.0) * 10, (2, 20_000, 3)), axis=-1)
    result = switching(np.full(3, 1 / 3), mu, np.ones(3))
    assert result.modes_visited == result.modes_possible == 6
    assert all(chance.proportion(round(40_000 * p), 40_000, 1 / 6, 7) for p in result.occupancy)
    assert result.relative_entropy == pytest.approx(1, abs=1e-3)
    switches = round(2 * 19_999 * result.switching_rate)
    assert chance.proportion(switches, 2 * 19_999, 5 / 6, 7)


def test_twenty_components_are_not_enumerated():
    mu = np.random.default_rng(2).normal(size=(2, 50, 20))
    result = switching(np.full(20, 0.05), mu, np.ones(20))
    assert result.modes_visited == 100
    assert result.modes_possible == pytest.approx(2.43290200817664e18)
    assert 0 < result.relative_entropy < 1


def test_one_component():
    mu = np.random.default_rng(3).normal(size=(2, 5, 1))
    result = switching(np.ones(1), mu, np.ones(1))
    assert (result.modes_visited, result.relative_entropy, result.gap_mass) == (1, 1.0, 0.0)


def test_gap_mass_uses_the_pooled_scale_of_the_draw():
    w = np.array([[[0.25, 0.75]] * 3])
    sigma = np.array([[[1.0, 3.0]] * 3])
    pooled = np.sqrt(0.25 + 0.75 * 9)
    mu = np.array([[[0.0, 0.099 * pooled], [0.101 * pooled, 0.0], [0.5, 9.0]]])
    assert gap_mass(w, mu, sigma) == pytest.approx(1 / 3)
    assert gap_mass(w, mu, sigma, epsilon=0.11) == pytest.approx(2 / 3)


def test_gap_mass_looks_at_the_smallest_gap():
    mu = np.array([[[0.0, 5.0, 5.05], [0.0, 5.0, 10.0]]])
    assert gap_mass(np.full(3, 1 / 3), mu, np.ones(3)) == pytest.approx(0.5)


def test_invariant_under_relabelling_all_chains():
    rng = np.random.default_rng(4)
    mu = rng.normal(size=(3, 40, 3))
    sigma = rng.uniform(0.5, 2, size=mu.shape)
    w = rng.dirichlet(np.ones(3), size=mu.shape[:2])
    first = switching(w, mu, sigma)
    second = switching(*(values[..., [2, 0, 1]] for values in (w, mu, sigma)))
    for name in ("switching_rate", "chain_disagreement", "relative_entropy", "gap_mass"):
        assert getattr(first, name) == pytest.approx(getattr(second, name), abs=1e-14)
    np.testing.assert_array_equal(first.first_passage, second.first_passage)


def test_every_measure_has_one_line_in_words():
    for rows in (("0000", "0000"), ("0000", "1111"), ("0101", "1010"), ("0001", "0000")):
        lines = switching(W, chains(*rows), SIGMA).interpretation()
        assert len(lines) == 6
        assert all(line.endswith(".") and "\n" not in line for line in lines.values())


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (("0000", "0000"), ["Labels never switch", "agree", "share one labelling", "No chain"]),
        (("0000", "1111"), ["never", "(100% on average)", "started in different", "No chain"]),
        (("0101", "1010"), ["in 100.00% of", "agree", "about equally", "2 of 2 chains"]),
        (("0000", "0011"), ["16.67%", "(50% on", "unevenly (entropy 0.81", "after 2 draws"]),
    ],
)
def test_the_lines_say_what_the_chains_do(rows, words):
    lines = switching(W, chains(*rows), SIGMA).interpretation()
    names = ("switching_rate", "chain_disagreement", "relative_entropy", "first_passage")
    for name, word in zip(names, words, strict=True):
        assert word in lines[name]
    assert "0.0% of the draws" in lines["gap_mass"] and "does not bite" in lines["gap_mass"]
    close = switching(W, chains(*rows, means=(0.0, 0.05)), SIGMA).interpretation()
    assert "100.0% of the draws" in close["gap_mass"] and "too large" in close["gap_mass"]


@pytest.mark.parametrize(
    ("mu", "w", "sigma", "epsilon", "message"),
    [
        (chains("00"), W, SIGMA, 0.1, "mu has 1 chain"),
        (chains("0", "0"), W, SIGMA, 0.1, "1 draw per chain"),
        (chains("00", "00")[..., 0], W, SIGMA, 0.1, r"\(chain, draw, component\)"),
        (chains("00", "00", means=(0, np.nan)), W, SIGMA, 0.1, "mu must be finite"),
        (chains("00", "00"), np.full(3, 1 / 3), SIGMA, 0.1, "w must have the shape"),
        (chains("00", "00"), np.array([0.5, 0.6]), SIGMA, 0.1, "add up to 1"),
        (chains("00", "00"), W, np.array([1.0, 0.0]), 0.1, "sigma must be positive"),
        (chains("00", "00"), W, SIGMA, 0.0, "epsilon must be a positive"),
    ],
)
def test_bad_input(mu, w, sigma, epsilon, message):
    with pytest.raises(ValueError, match=message):
        switching(w, mu, sigma, epsilon)
