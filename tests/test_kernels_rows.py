"""A pass over chosen rows of several data sets is the pass over copies of these rows."""

import numpy as np
import pytest

from ordered_mix.passes.kernels import e_step

RNG = np.random.default_rng(0)
Y = RNG.normal(size=(5, 40))
WEIGHT = RNG.gamma(1.0, size=(5, 40))
ROWS = np.array([4, 0, 0, 2])
W, MU, SIGMA = [0.3, 0.7], RNG.normal(size=(4, 2)), np.array([0.5, 2.0])


@pytest.mark.parametrize("weight", [None, WEIGHT])
def test_rows_name_the_data_set_of_each_run(weight):
    chosen = e_step(Y, W, MU, SIGMA, weight, rows=ROWS)
    copied = e_step(Y[ROWS], W, MU, SIGMA, None if weight is None else weight[ROWS])
    for one, other in zip(chosen, copied, strict=True):
        np.testing.assert_array_equal(one, other)


def test_one_row_serves_a_batch_of_parameters():
    chosen = e_step(Y, W, MU, SIGMA, rows=3)
    np.testing.assert_array_equal(chosen.s1, e_step(Y[3], W, MU, SIGMA).s1)


def test_no_run_is_no_work():
    assert e_step(Y, W, MU[:0], SIGMA, rows=ROWS[:0]).s0.shape == (0, 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((Y, None, [5]), "rows must hold whole numbers from 0 to 4"),
        ((Y, None, [-1]), "rows must hold whole numbers from 0 to 4"),
        ((Y, None, [0.5]), "rows must hold whole numbers from 0 to 4"),
        ((Y[0], None, [0]), r"y and weight must have shape \(sets, n\) with rows"),
        ((Y, WEIGHT[:4], [0]), r"y and weight must have shape \(sets, n\) with rows"),
    ],
)
def test_rows_that_do_not_exist_are_named(arguments, message):
    y, weight, rows = arguments
    with pytest.raises(ValueError, match=message):
        e_step(y, W, MU[0], SIGMA, weight, rows=rows)
