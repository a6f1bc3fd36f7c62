"""Data as a weighted sample: shipped sets, columns of a file, simulations, populations."""

from ordered_mix.data.data import Data
from ordered_mix.data.loading import as_data, load
from ordered_mix.data.points import as_points, load_points, several_columns
from ordered_mix.data.shipped import shipped, shipped_points
from ordered_mix.data.simulated import population, simulate

__all__ = [
    "Data",
    "as_data",
    "as_points",
    "load",
    "load_points",
    "population",
    "several_columns",
    "shipped",
    "shipped_points",
    "simulate",
]
