"""The likelihood of the components: given by the user, or of normal components and checked."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from ordered_mix.arrays import Array
from ordered_mix.draws.relabel.asked import Asked
from ordered_mix.draws.relabel.check import check, looked_at, mean_squares
from ordered_mix.draws.relabel.named import SCALES, Named, finite_values, front, unpacked
from ordered_mix.draws.relabel.normal import multivariate_normal, normal
from ordered_mix.draws.relabel.responsibilities import (
    Responsibilities,
    from_log_likelihood,
    given,
)

if TYPE_CHECKING:
    from ordered_mix.draws.relabel.evidence import Known

NORMAL = ("mu", "sigma", "tau", "chol", "cov", "weights")


def settle(known: Known, p: Responsibilities | None) -> Known:
    """Keep responsibilities that were given, or else those of normal components, if they hold."""
    squares, model = None, "the components given"
    if p is None and known.y is not None:
        p, squares, model = _normal_components(known)
    if p is None:
        return known
    if p.draws != known.shape[:2] or p.components != known.components:
        raise ValueError(
            f"responsibilities must be of {known.shape[:2]} draws and {known.components} "
            f"components, got {p.draws} and {p.components}"
        )
    if p.log_joint is None:
        return replace(known, responsibilities=p)
    found = check(p, known.stored, squares, model)
    if not found.good:
        notes = (*known.notes, f"{found.sentence} It is not used.")
        return replace(known, check=found, notes=notes)
    return replace(known, check=found, responsibilities=p)


def _normal_components(known: Known) -> tuple[Responsibilities | None, Array | None, str]:
    """Responsibilities of normal components, squared deviations if a scale is free, and words."""
    words = ", ".join(one.name for role, one in known.named.items() if role in NORMAL)
    y, roles = known.y, known.roles
    assert y is not None
    free = any(known.named[role].sampled for role in (*SCALES, "chol", "cov")
               if role in known.named)  # fmt: skip
    if {"mu", "sigma", "w"} <= set(roles) and y.ndim == 1:
        p = normal(y, roles["w"], roles["mu"], roles["sigma"])
        if not free:
            return p, None, f"a normal mixture of {words}"
        mu, sigma = (roles[name].reshape(-1, known.components)[looked_at(p)][:, None]
                     for name in ("mu", "sigma"))  # fmt: skip
        squares = ((y[None, :, None] - mu) / sigma) ** 2
        return p, mean_squares(p, squares), f"a normal mixture of {words}"
    factor = _factors(known)
    if factor is None or y.ndim != 2 or known.w is None:
        return None, None, ""
    mu = finite_values(known.named["mu"].name, known.named["mu"].values)
    p = multivariate_normal(y, known.w, mu, factor)
    at = looked_at(p)
    standard = np.linalg.inv(factor.reshape(-1, *factor.shape[2:])[at])
    gap = y[None, :, None] - mu.reshape(-1, *mu.shape[2:])[at][:, None]
    squares = np.mean(np.einsum("skde,snke->snkd", standard, gap) ** 2, axis=-1)
    return p, mean_squares(p, squares), f"a multivariate normal mixture of {words}"


def _factors(known: Known) -> Array | None:
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
            return np.linalg.cholesky(values)
        except np.linalg.LinAlgError:
            raise ValueError(f"{one.name} must hold positive definite matrices") from None
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
