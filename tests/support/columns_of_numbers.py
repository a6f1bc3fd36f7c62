"""Columns like those that people bring, with what is known of them."""

import numpy as np

from ordered_mix.data import Data


def two_of(seed, n, share, first, second):
    """Two normals, the first with this share; each given as (mean, sd)."""
    rng = np.random.default_rng(seed)
    of_first = rng.random(n) < share
    return np.where(of_first, rng.normal(*first, n), rng.normal(*second, n))


def excess_zeros():
    rng = np.random.default_rng(1)
    y = np.round(rng.normal(0, 8, 300))
    y[rng.random(300) < 0.25] = 0
    return y


def one_typo():
    rng = np.random.default_rng(6)
    parts = rng.normal(162, 6, 100), rng.normal(182, 6, 99), [1780.0]
    return np.round(np.concatenate(parts), 1)


def close_pair():
    rng = np.random.default_rng(1984)
    return np.concatenate([rng.normal(0.4, 0.2, 123), rng.normal(0.6, 0.2, 156)])


def masked():
    y = np.random.default_rng(4513).normal(0, 1, 1500)
    return y[y < 0.3]


COLUMNS = {
    "ten_points": lambda: [3.95, 3.99, 4.0, 4.04, 4.1, 10.9, 11.5, 11.9, 11.7, 12.3],
    "two_lines": lambda: two_of(434, 500, 0.7, (-2, 0.1), (2, 0.1)),
    "returns": lambda: two_of(54726, 252, 0.3, (0.0003769, 0.02815), (-0.00089, 0.01232)),
    "excess_zeros": excess_zeros,
    "repeated_tens": lambda: np.append(np.random.default_rng(21).normal(0, 1, 100), [10.0] * 10),
    "one_typo": one_typo,
    "rare_above": lambda: two_of(2, 1000, 0.015, (5, 1), (0, 1)),
    "close_pair": close_pair,
    "masked": masked,
    "one_gaussian": lambda: np.random.default_rng(4).normal(50, 7, 200),
}


def column(name):
    """One of the columns as data."""
    return Data(COLUMNS[name](), name=name)
