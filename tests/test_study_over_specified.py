"""The study of over-specified mixtures: iterations against other code, effects on made tables."""

import itertools

import numpy as np
import pandas as pd
import pytest

from ordered_mix.data import population
from ordered_mix.estimators.gradient import GradientAscent
from ordered_mix.estimators.loop.stop import Stop
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization import catalog
from ordered_mix.prior import Prior

file = catalog.module("over_specified", "study")
CLAIMS = {claim.name: claim for claim in file.CLAIMS}


def test_gradient_em_is_gradient_ascent_with_step_one():
    w, begin = np.array([0.2, 0.3, 0.5]), np.array([-1.0, 0.4, 1.5])
    data = population(Mixture([1.0], [0.0], [1.0]), file.GRID)
    rows = pd.DataFrame(file.gradient(begin[None], w)).set_index("time")
    prior = Prior(known_w=tuple(w), known_sigma=1.0)
    ascent = GradientAscent(1.0, stop=Stop(log_likelihood=0.0, passes=257), snapshots=257)
    model = catalog.parameterization("unordered", 3, prior)
    fit = ascent.fit(model, data, Mixture(w, begin, np.ones(3)))
    for time in (16, 64, 256):
        at = int(np.searchsorted(fit.trace.iteration.ravel(), time))
        found = np.abs(fit.trace.mixture.mu[at]).max()
        assert rows.loc[time, "size"] == pytest.approx(found, rel=1e-9)


def test_a_pair_shrinks_at_the_derivative_of_its_map():
    for weight in (0.6, 0.7, 0.9):
        last = file.pair_cell(0, weight)[-1]
        assert last["rate"] == pytest.approx(4 * weight * (1 - weight), rel=1e-6)
        assert last["size"] < 1e-3
    assert min(row["size"] for row in file.pair_cell(0, 0.5)) > 1e-3


def test_repulsion_balances_the_loss():
    for power, points in itertools.product(file.POWERS, (1e6, 1e7, 1e8)):
        (row,) = file.repulsion_cell(0, power, points)
        leading = (16 * power / points) ** (1 / (4 + power))
        assert row["size"] == pytest.approx(leading, rel=0.05)


# --- effects on tables that are made --------------------------------------------------------------


def ascents(size_power, loss_power, weights="equal"):
    rows = [
        {"start": start, "time": time, "fitted": fitted, "weights": weights,
         "size": (1 + start) * time**size_power, "loss": (1 + start) * time**loss_power}
        for start in range(80) for time in (256.0, 512.0, 1024.0) for fitted in (2, 3)
    ]  # fmt: skip
    return pd.DataFrame(rows)


@pytest.mark.parametrize(("powers", "outcome"), [((-0.5, -2.0), "holds"), ((-0.2, -0.3), "fails")])
def test_powers_of_time(powers, outcome):
    table = ascents(*powers)
    for name in (
        "gradient EM converges at 1/sqrt(t)",
        "the means converge like 1/sqrt(t)",
        "the loss falls like 1/t^2",
    ):
        assert CLAIMS[name].judge(table).outcome == outcome, name
    unequal = CLAIMS["unequal weights do not help free means"]
    assert unequal.judge(ascents(*powers, "unequal")).outcome == outcome
    assert unequal.judge(table).effect is None


@pytest.mark.parametrize(("linear", "outcome"), [(True, "holds"), (False, "fails")])
def test_passes_of_polyak_steps(linear, outcome):
    passes = {"short and Polyak": (10, 20, 30), "gradient": (10, 110, 1110)}
    if not linear:
        passes = {"short and Polyak": (10, 110, 1110), "gradient": (10, 20, 30)}
    rows = [
        {"start": start, "algorithm": name, **dict(zip(file.LEVELS, at, strict=True))}
        for start in range(20) for name, at in passes.items()
    ]  # fmt: skip
    table = pd.DataFrame(rows)
    for name in (
        "short steps and Polyak steps are linear",
        "short steps alone are not linear",
        "Polyak steps save passes",
    ):
        assert CLAIMS[name].judge(table).outcome == outcome, name


def test_runs_that_do_not_arrive_are_told():
    rows = [{"start": s, "algorithm": a, "passes_4": 1.0, "passes_6": 2.0, "passes_8": np.nan}
            for s in range(9) for a in ("gradient", "short and Polyak")]  # fmt: skip
    verdict = CLAIMS["Polyak steps save passes"].judge(pd.DataFrame(rows))
    assert verdict.outcome == "undecided" and "9 runs" in verdict.reason


@pytest.mark.parametrize(("error", "outcome"), [(0.0, "holds"), (0.1, "fails")])
def test_powers_of_pairs_and_of_repulsion(error, outcome):
    times = 2.0 ** np.arange(6)
    equal = pd.DataFrame({"time": times, "size": times ** (error - 0.5), "weight": 0.5})
    unequal = pd.DataFrame({"time": times, "rate": 0.96 * (1 + error), "weight": 0.6})
    table = pd.concat([equal, unequal])
    assert CLAIMS["a balanced pair is sublinear"].judge(table).outcome == outcome
    assert CLAIMS["an unbalanced pair is exponentially fast"].judge(table).outcome == outcome
    points = 10.0 ** np.arange(2, 9)
    gaps = pd.DataFrame({"points": points, "size": points ** (error - 1 / 5), "power": 1.0})
    assert CLAIMS["a repulsive prior is a soft clearance"].judge(gaps).outcome == outcome
