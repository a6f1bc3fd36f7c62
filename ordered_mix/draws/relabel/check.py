"""Is the model of the draws the one that the likelihood is computed for?

If the draws come with a pointwise log likelihood of their own, it must be repeated. If not, the
likelihood is used only if the user says that the model is a normal mixture, and the scores must
vanish: in a posterior of free scales the squared deviations of the points, in units of the scales
and weighted with the responsibilities, are 1 on average, up to what the prior adds (Fisher's
identity for the derivative by the log scale).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import xarray as xr

from ordered_mix.arrays import Array
from ordered_mix.draws.relabel.asked import NORMAL, Asked
from ordered_mix.draws.relabel.named import Named
from ordered_mix.draws.relabel.responsibilities import Responsibilities

MOST_DRAWS = 50
REPEATED = 0.01
SCORE = (0.5, 2.0)


class Check(NamedTuple):
    """Whether a likelihood may be used, and why.

    Attributes
    ----------
    good : bool
        Whether the computed likelihood is that of the draws, as far as can be told.
    stored : bool
        Whether it was compared with a log likelihood stored with the draws.
    value : float
        The largest difference of the two pointwise log likelihoods in nats, or the mean squared
        deviation where nothing is stored; NaN if neither was computed.
    sentence : str
        The same in words.
    """

    good: bool
    stored: bool
    value: float
    sentence: str


def stored_pointwise(
    tree: xr.DataTree, observed: str | None, asked: Asked, named: Mapping[str, Named]
) -> tuple[Array | None, list[str]]:
    """Pointwise log likelihood stored with the draws, (chain, draw, point), and notes.

    The variable with the name of the data, or the only one, of the group ``log_likelihood``
    (``warmup_log_likelihood`` of ``warmup_posterior``), or ``log_lik`` of the draws, as Stan's
    programs call it. None if there is none or several, if it has no points, holds components, or
    values that are not finite.
    """
    found = _variable(tree, observed, asked, named)
    if found is None:
        return None, []
    values = found.transpose("chain", "draw", ...).to_numpy()
    if not np.all(np.isfinite(values)):
        return None, [
            f"The log likelihood {found.name} stored with the draws is not used: "
            f"{int(np.sum(~np.isfinite(values)))} of its values are not finite."
        ]
    return np.asarray(values, dtype=np.float64).reshape(*values.shape[:2], -1), []


def _variable(
    tree: xr.DataTree, observed: str | None, asked: Asked, named: Mapping[str, Named]
) -> xr.DataArray | None:
    components = {one.dim for one in named.values() if one.dim is not None} | set(asked.dims or ())
    beside = f"{asked.group.removesuffix('posterior')}log_likelihood"
    variables = tree[beside if beside in tree.children else asked.group].data_vars
    names = [
        name for name, values in variables.items()
        if (beside in tree.children or name == "log_lik") and values.dtype.kind == "f"
        and {"chain", "draw"} < set(values.dims) and not components & set(values.dims)
        and not (isinstance(asked.log_likelihood, str) and name == asked.log_likelihood)
    ]  # fmt: skip
    if observed in names:
        return variables[observed]
    return variables[names[0]] if len(names) == 1 else None


def unstated(model: str) -> Check:
    """That a likelihood can neither be checked nor was stated by the user."""
    return Check(
        False, False, np.nan,
        f"The draws hold no pointwise log likelihood to check that of {model} against: store it "
        "(pm.compute_log_likelihood(draws) in PyMC, log_lik in Stan), or pass "
        f"likelihood={NORMAL!r} (--likelihood {NORMAL}) if that is the model.",
    )  # fmt: skip


def taken(model: str) -> Check:
    """That a likelihood is taken as the user gave it."""
    return Check(True, False, np.nan,
                 f"Nothing is stored with the draws to check that of {model} against.")  # fmt: skip


def scores(squares: Array | None, model: str) -> Check:
    """Whether the squared deviations are about 1, as they are in the model that the user stated.

    Parameters
    ----------
    squares : ndarray, shape (draws looked at,), or None
        Mean squared deviation of the points in some draws; None if no scale is free.
    model : str
        What the likelihood is of, in words.
    """
    if squares is None:
        return taken(model)
    mean = float(np.mean(squares))
    good = SCORE[0] <= mean <= SCORE[1]
    says = "as it should be about 1" if good else "where about 1 is right"
    return Check(
        good, False, mean,
        f"Nothing is stored with the draws to check that of {model} against; the mean squared "
        f"deviation of the data in units of its scales is {mean:.3g}, {says}.",
    )  # fmt: skip


def looked_at(p: Responsibilities) -> list[int]:
    """Flat draws that are checked, evenly spread."""
    total = p.draws[0] * p.draws[1]
    return np.unique(np.linspace(0, total - 1, MOST_DRAWS).astype(int)).tolist()


def mean_squares(p: Responsibilities, squares: Array) -> Array:
    """Squared deviations weighted with the responsibilities, of the draws looked at.

    Parameters
    ----------
    squares : ndarray, shape (draws looked at, point, component)
    """
    pairs = zip(looked_at(p), squares, strict=True)
    return np.array([float(np.mean(np.sum(p.at(draw) * square, axis=-1)))
                     for draw, square in pairs])  # fmt: skip


def against_stored(p: Responsibilities, stored: Array, model: str) -> Check:
    """Compare a computed log likelihood with the one stored with the draws.

    Parameters
    ----------
    p : Responsibilities
        With densities.
    stored : ndarray, shape (chain, draw, point)
    model : str
        What the likelihood is of, in words.
    """
    if stored.shape != (*p.draws, p.points):
        return Check(
            False, True, np.nan,
            f"The stored log likelihood has the shape {stored.shape}, {model} one of "
            f"{(*p.draws, p.points)}: they are not of the same data.",
        )  # fmt: skip
    flat = stored.reshape(-1, p.points)
    pairs = [(p.pointwise(draw), flat[draw]) for draw in looked_at(p)]
    off = max(float(np.max(np.abs(computed - held))) for computed, held in pairs)
    relative = max(float(np.max(np.abs(computed - held) / np.maximum(1, np.abs(held))))
                   for computed, held in pairs)  # fmt: skip
    good = relative <= REPEATED
    verb = "repeats" if good else "does not repeat"
    return Check(
        good, True, off,
        f"The log likelihood of {model} {verb} the one stored with the draws: the largest "
        f"difference at a point is {off:.3g} nats.",
    )  # fmt: skip
