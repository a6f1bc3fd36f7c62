"""The likelihood of the components: given by the user, or of normal components and checked."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from ordered_mix.arrays import Array
from ordered_mix.draws.relabel.asked import Asked
from ordered_mix.draws.relabel.check import (
    Check,
    against_stored,
    looked_at,
    mean_squares,
    scores,
    taken,
    unstated,
)
from ordered_mix.draws.relabel.named import SCALES, Named, finite_values, front, unpacked
from ordered_mix.draws.relabel.normal import multivariate_normal, normal
from ordered_mix.draws.relabel.responsibilities import (
    Responsibilities,
    from_log_likelihood,
    given,
)

if TYPE_CHECKING:
    from ordered_mix.draws.relabel.evidence import Known

ROLES = ("mu", "sigma", "tau", "chol", "cov", "weights")


def settle(known: Known, p: Responsibilities | None, stated: bool) -> Known:
    """Keep responsibilities that were given, or else those of normal components, if they hold.

    Parameters
    ----------
    known : Known
    p : Responsibilities or None
        What the user gave.
    stated : bool
        Whether the user says that the model is a normal mixture.
    """
    if p is None:
        return _normal(known, stated)
    if p.draws != known.shape[:2] or p.components != known.components:
        raise ValueError(
            f"responsibilities must be of {known.shape[:2]} draws and {known.components} "
            f"components, got {p.draws} and {p.components}"
        )
    if p.log_joint is None:
        return replace(known, responsibilities=p)
    model = "the components given"
    found = taken(model) if known.stored is None else against_stored(p, known.stored, model)
    return _kept(known, p, found)


def _normal(known: Known, stated: bool) -> Known:
    """Responsibilities of normal components, if the model is known to be their mixture."""
    made = None if known.y is None else _components(known)
    if made is None and known.y is not None and stated:
        named = ", ".join(one.name for one in known.named.values())
        raise ValueError(
            "likelihood='normal' needs means, scales and weights, one number for each component, "
            f"or chol or cov beside means of several dimensions and y of as many, got {named}"
        )
    if made is None:
        return replace(known, normal=stated)
    words = ", ".join(one.name for role, one in known.named.items() if role in ROLES)
    model = f"a {'multivariate ' * (made.factor is not None)}normal mixture of {words}"
    if known.stored is not None:
        found = against_stored(made.p, known.stored, model)
    else:
        found = scores(_squares(known, made), model) if stated else unstated(model)
    return replace(_kept(known, made.p, found), normal=found.good)


def _kept(known: Known, p: Responsibilities, found: Check) -> Known:
    if found.good:
        return replace(known, check=found, responsibilities=p)
    return replace(
        known,
        check=found,
        notes=(*known.notes, f"{found.sentence} No likelihood of components is used."),
    )


class _Components(NamedTuple):
    """Normal components: their responsibilities, and the Cholesky factors of several dimensions."""

    p: Responsibilities
    factor: Array | None = None


def _components(known: Known) -> _Components | None:
    y, roles = known.y, known.roles
    assert y is not None
    if {"mu", "sigma", "w"} <= set(roles) and y.ndim == 1:
        return _Components(normal(y, roles["w"], roles["mu"], roles["sigma"]))
    factor = factors(known)
    if factor is None or y.ndim != 2 or known.w is None:
        return None
    return _Components(multivariate_normal(y, known.w, means(known), factor), factor)


def _squares(known: Known, made: _Components) -> Array | None:
    """Squared deviations of the points in some draws; None if no scale is free."""
    y, at = known.y, looked_at(made.p)
    assert y is not None
    if made.factor is not None:
        mu = means(known)
        standard = np.linalg.inv(made.factor.reshape(-1, *made.factor.shape[2:])[at])
        gap = y[None, :, None] - mu.reshape(-1, *mu.shape[2:])[at][:, None]
        deviations = np.mean(np.einsum("skde,snke->snkd", standard, gap) ** 2, axis=-1)
        return mean_squares(made.p, deviations)
    if not any(known.named[role].sampled for role in SCALES if role in known.named):
        return None
    mu, sigma = (known.roles[name].reshape(-1, known.components)[at][:, None]
                 for name in ("mu", "sigma"))  # fmt: skip
    return mean_squares(made.p, ((y[None, :, None] - mu) / sigma) ** 2)


def means(known: Known) -> Array:
    """Means of multivariate components, (chain, draw, component, dim)."""
    return finite_values(known.named["mu"].name, known.named["mu"].values)


def factors(known: Known) -> Array | None:
    """Cholesky factors, (chain, draw, component, dim, dim), if they are known."""
    mu = known.named.get("mu")
    if mu is None or mu.values.ndim != 4:
        return None
    dims = mu.values.shape[3]
    if "chol" in known.named:
        one = known.named["chol"]
        return unpacked(one.name, finite_values(one.name, one.values), dims)
    if "cov" in known.named:
        one = known.named["cov"]
        values = finite_values(one.name, one.values)
        try:
            if np.allclose(values, np.swapaxes(values, -1, -2), rtol=1e-4, atol=1e-12):
                return np.linalg.cholesky(values)
        except np.linalg.LinAlgError:
            pass
        raise ValueError(f"{one.name} must hold symmetric positive definite matrices")
    return None


def given_responsibilities(
    tree: xr.DataTree, asked: Asked, named: Mapping[str, Named], w: Array | None = None
) -> Responsibilities | None:
    """Responsibilities that the user gave, from log likelihoods with their weights if known."""
    if asked.responsibilities is not None:
        values = _by_component(tree, asked, "responsibilities", asked.responsibilities, named)
        return given(values)
    if asked.log_likelihood is not None:
        values = _by_component(tree, asked, "log_likelihood", asked.log_likelihood, named)
        return from_log_likelihood(values, w)
    return None


def _by_component(
    tree: xr.DataTree,
    asked: Asked,
    role: str,
    value: str | ArrayLike,
    named: Mapping[str, Named],
) -> Array:
    """An array (chain, draw, point, component), or a variable of any group by its name."""
    if not isinstance(value, str):
        return np.asarray(value)
    groups = [asked.group, *(name for name in tree.children if name != asked.group)]
    for group in groups:
        if value in tree[group].data_vars:
            return _last_component(tree[group].to_dataset()[value], role, asked.dims, named)
    raise ValueError(f"{role} {value!r} is not a variable of any group of the draws")


def _last_component(
    values: xr.DataArray,
    role: str,
    dims: Collection[str] | None,
    named: Mapping[str, Named],
) -> Array:
    known = {*(dims or ()), *(one.dim for one in named.values() if one.dim is not None)}
    own = [str(dim) for dim in values.dims if str(dim) in known]
    if len(own) != 1:
        raise ValueError(
            f"dims must name the component dimension of {role} {values.name!r}, which has the "
            f"dimensions {', '.join(map(str, values.dims))}"
        )
    array = front(values).transpose("chain", "draw", ..., own[0]).to_numpy()
    return array.reshape(*array.shape[:2], -1, array.shape[-1])
