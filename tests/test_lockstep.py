"""Serial jobs side by side: the same results as alone, few evaluations, errors that surface."""

import numpy as np
import pytest
from scipy.optimize import minimize

from ordered_mix.estimators.loop.lockstep import lockstep


def rosenbrock(points):
    x, y = points.T
    value = (1 - x) ** 2 + 100 * (y - x**2) ** 2
    gradient = np.stack([2 * (x - 1) - 400 * x * (y - x**2), 200 * (y - x**2)], axis=1)
    return value, gradient


def descend(start):
    return lambda ask: minimize(ask, start, jac=True, method="L-BFGS-B")


def test_jobs_end_as_they_do_alone_in_as_many_rounds_as_the_longest():
    starts = np.array([[-1.2, 1.0], [0.0, 0.0], [1.0, 1.0]])
    rounds = []

    def evaluate(points):
        rounds.append(len(points))
        return rosenbrock(points)

    together = lockstep([descend(start) for start in starts], evaluate)
    alone = [descend(start)(lambda x: [v[0] for v in rosenbrock(x[None])]) for start in starts]
    for one, other in zip(together, alone, strict=True):
        assert np.array_equal(one.x, other.x) and one.nfev == other.nfev
    assert len(rounds) == max(one.nfev for one in alone)
    assert sum(rounds) == sum(one.nfev for one in alone)


def test_errors_of_the_function_and_of_a_job_are_raised():
    def broken(points):
        raise ArithmeticError("no value here")

    with pytest.raises(ArithmeticError, match="no value here"):
        lockstep([descend(np.zeros(2)), descend(np.ones(2))], broken)

    def fails(ask):
        ask(np.zeros(2))
        raise KeyError("lost")

    with pytest.raises(KeyError, match="lost"):
        lockstep([fails, descend(np.zeros(2))], rosenbrock)


def test_no_jobs_give_no_results():
    assert lockstep([], rosenbrock) == []
