"""What nutpie recorded of its chains, as arrays.

Its own conversion to an ArviZ tree takes as long as the sampling of 200 points, mostly for columns
that nobody asked for.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pyarrow
import xarray as xr

from ordered_mix.draws.draws import STATISTICS
from ordered_mix.draws.statistics import arviz_names
from ordered_mix.mixture import Array
from ordered_mix.parameterization.parameterization import Parameterization


class Trace(NamedTuple):
    """Chains of equal length.

    Attributes
    ----------
    z : ndarray, shape (chain, draw, dimension)
        Unconstrained coordinates.
    statistics : dict of str to ndarray, shape (chain, draw)
        By ArviZ's names.
    """

    z: Array
    statistics: dict[str, Array]


def traces(raw: Any) -> tuple[Trace, Trace]:
    """Warm-up and draws of what ``nutpie.sample(..., return_raw_trace=True)`` returns."""
    _, chains = raw.get_arrow_trace()
    tuning = int(_column(chains[0], "tuning").sum())
    names = arviz_names({name: name for name in chains[0].column_names})
    wanted = {name: own for name, own in names.items() if name in STATISTICS}
    found = {name: np.stack([_column(one, own) for one in chains]) for name, own in wanted.items()}
    z = np.stack([_rows(one, "unconstrained_draw") for one in chains])
    return tuple(
        Trace(z[:, part], {name: values[:, part] for name, values in found.items()})
        for part in (slice(None, tuning), slice(tuning, None))
    )  # type: ignore[return-value]


def mixtures(raw: Any, standard: Parameterization) -> xr.DataTree:
    """Groups of nutpie's draws as those of PyMC: coordinates and mixtures, statistics."""
    groups = {}
    for prefix, trace in zip(("warmup_", ""), traces(raw), strict=True):
        mixture = standard.forward(trace.z)
        values = {"w": mixture.w, "mu": mixture.mu, "sigma": mixture.sigma}
        groups[f"{prefix}sample_stats"] = _named(trace.statistics)
        groups[f"{prefix}unconstrained_posterior"] = _named({"z": trace.z})
        groups[f"{prefix}posterior"] = _named(values)
    return xr.DataTree.from_dict(groups)


def _named(values: dict[str, Array]) -> xr.Dataset:
    return xr.Dataset(
        {
            name: (("chain", "draw", f"{name}_index")[: value.ndim], value)
            for name, value in values.items()
        }
    )


def _column(chain: Any, name: str) -> Array:
    values: Array = pyarrow.array(chain.column(name)).to_numpy(zero_copy_only=False)
    return values


def _rows(chain: Any, name: str) -> Array:
    flat: Array = pyarrow.array(chain.column(name)).flatten().to_numpy()
    return flat.reshape(chain.num_rows, -1)
