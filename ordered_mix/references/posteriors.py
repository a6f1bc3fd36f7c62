"""The posteriors that have a reference, from easy ones to those whose modes are far apart."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np

from ordered_mix.data import Data, load, load_points, simulate
from ordered_mix.mixture import Mixture
from ordered_mix.multivariate import default_multivariate_prior
from ordered_mix.prior import Prior, default_prior
from ordered_mix.references.definition import FOLDER, Definition

POSTERIORDB = Prior(spread=2.0, scale=2.0, concentration=5.0, scale_family="half_normal")
MEANS = Prior(spread=2.0, known_w=(0.5, 0.5), known_sigma=1.0)
DIGITS = 4  # of simulated points


@cache
def definitions() -> dict[str, Definition]:
    """All of them by name."""
    found = [*_of_posteriordb(), *_means(), *_simulated(), *_of_data_sets(), _large(),
             *_of_points()]  # fmt: skip
    return {one.name: one for one in found}


def _of_posteriordb() -> Iterator[Definition]:
    shipped = "low_dim_gauss_mix"
    yield Definition(
        shipped, "two components far apart", load(shipped), f"posteriordb {shipped}", 2, POSTERIORDB
    )
    for name, about, prior in (
        ("low_dim_gauss_mix_collapse", "components that overlap, unordered", POSTERIORDB),
        ("normal_2", "known scales, two means and a weight",
         Prior(spread=10.0, concentration=1.0, known_sigma=1.0)),
    ):  # fmt: skip
        data = load(str(FOLDER / "data" / f"{name}.csv"))
        yield Definition(name, about, data, f"posteriordb {name}", 2, prior)


def _means() -> Iterator[Definition]:
    """Two means alone, whose posterior quadrature gives to ten digits."""
    for separation, n in ((0.2, 200), (0.5, 200), (1.0, 200), (2.0, 200), (1.0, 20)):
        truth = _mixture([0.5, 0.5], [-separation / 2, separation / 2], [1.0, 1.0])
        name = f"means_{_word(separation)}_{n}"
        yield _of_truth(name, f"two means {separation:g} sd apart", truth, n, 2, MEANS)


def _simulated() -> Iterator[Definition]:
    for separation in (0.5, 1.0, 2.0):
        truth = _mixture([0.4, 0.6], [0.0, separation], [1.0, 1.0])
        about = f"all parameters free, means {separation:g} sd apart"
        yield _of_truth(f"overlap_{_word(separation)}", about, truth, 300, 2)
    yield _of_truth("few_points", "20 points, means 4 sd apart",
                    _mixture([0.4, 0.6], [-2.0, 2.0], [1.0, 1.0]), 20, 2)  # fmt: skip
    for weight in (0.1, 0.01):
        truth = _mixture([weight, 1 - weight], [4.0, 0.0], [1.0, 1.0])
        about = f"a component of weight {weight:g}"
        yield _of_truth(f"weight_{_word(weight)}", about, truth, 500, 2)
    one = _mixture([1.0], [0.0], [1.0])
    yield _of_truth("surplus_2", "two components for one", one, 200, 2)
    yield _of_truth("surplus_3", "three components for two",
                    _mixture([0.5, 0.5], [-2.0, 2.0], [1.0, 1.0]), 200, 3)  # fmt: skip
    yield _tied(
        "tied_lines",
        "points rounded to whole numbers, two components",
        np.round(simulate(_mixture([0.4, 0.6], [0.0, 4.0], [1.0, 1.0]), 200, 11).y),
    )
    censored = simulate(_mixture([0.5, 0.5], [-1.0, 2.0], [1.0, 1.0]), 150, 21).y
    limited = np.round(np.maximum(censored, -1.0), DIGITS)
    yield _tied("tied_limit", "a quarter of the points at a limit of detection", limited)


def _large() -> Definition:
    truth = _mixture([0.4, 0.6], [0.0, 3.0], [1.0, 1.0])
    return _of_truth("ten_thousand", "10,000 points, means 3 sd apart", truth, 10_000, 2)


def _of_data_sets() -> Iterator[Definition]:
    for name, k, kind, split in (
        ("faithful:waiting", 2, "fixed", None),
        ("faithful:eruptions", 2, "adaptive", None),
        *(("galaxies", k, "fixed", 28_000.0) for k in range(2, 7)),
        ("galaxies", 3, "adaptive", 28_000.0),
        ("enzyme", 3, "fixed", 0.5),
        ("enzyme", 4, "fixed", 0.5),
        ("acidity", 2, "adaptive", None),
        ("acidity", 3, "fixed", 5.3),
    ):
        data = load(name)
        ending = "_adaptive" if kind == "adaptive" else ""
        yield Definition(
            f"{name.replace(':', '_')}_{k}{ending}", f"{name}, {k} components, {kind} prior",
            data, f"ordered_mix {name}", k, default_prior(data, kind), split,
        )  # fmt: skip


def _of_points() -> Iterator[Definition]:
    """Several dimensions, full covariances under the fixed prior; the first column has the gap."""
    petals = "iris:petal_length,petal_width"
    for source, k, split in (
        ("faithful", 2, 3.0), ("faithful", 3, 3.0), (petals, 3, 2.45),
        (f"{petals},sepal_length,sepal_width", 2, 2.45),
    ):  # fmt: skip
        data, name = load_points(source), source.partition(":")[0]
        about = f"{name}, {data.d} columns, {k} components"
        prior = default_multivariate_prior(data, "fixed")
        yield Definition(
            f"{name}_{data.d}d_{k}", about, data, f"ordered_mix {source}", k, prior, split
        )
    covariance = np.array([[[1.0, 0.6], [0.6, 1.0]], [[1.0, -0.4], [-0.4, 0.5]]])
    truth = Mixture(np.array([0.3, 0.7]), np.array([[0.0, 0.0], [2.0, 1.0]]), covariance=covariance)
    y = np.round(truth.sample(200, np.random.default_rng(25)), DIGITS)
    data = Data.of_points(y, name="plane_2d_2")
    yield Definition("plane_2d_2", "two components that overlap in the plane", data, "simulated", 2,
                     default_multivariate_prior(data, "fixed"))  # fmt: skip


def _of_truth(
    name: str, about: str, truth: Mixture, n: int, k: int, prior: Prior | None = None
) -> Definition:
    y = np.round(simulate(truth, n, seed=sum(map(ord, name))).y, DIGITS)
    return _tied(name, about, y, "fixed", k, prior)


def _tied(
    name: str,
    about: str,
    y: np.ndarray,
    kind: str = "fixed",
    k: int = 2,
    prior: Prior | None = None,
) -> Definition:
    data = Data(y, name=name)
    return Definition(
        name, about, data, "simulated", k, default_prior(data, kind) if prior is None else prior
    )


def _word(number: float) -> str:
    return f"{number:g}".replace(".", "p")


def _mixture(w: list[float], mu: list[float], sigma: list[float]) -> Mixture:
    return Mixture(np.array(w), np.array(mu), np.array(sigma))
