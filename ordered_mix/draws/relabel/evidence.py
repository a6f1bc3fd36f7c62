"""From what the user named to what relabelling algorithms need."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from ordered_mix.arrays import Array
from ordered_mix.draws.relabel.assignment import Relabelling
from ordered_mix.draws.relabel.check import (
    Check,
    check,
    looked_at,
    mean_squares,
    stored_pointwise,
)
from ordered_mix.draws.relabel.ecr import Allocations
from ordered_mix.draws.relabel.methods import Evidence, hint
from ordered_mix.draws.relabel.named import (
    Given,
    Named,
    Reader,
    finite_values,
    front,
    number_of_components,
    one_for_each,
    positive,
    read_weights,
    unpacked,
)
from ordered_mix.draws.relabel.permute import require_exchangeable
from ordered_mix.draws.relabel.responsibilities import (
    Responsibilities,
    from_log_likelihood,
    given,
    multivariate_normal,
    normal,
)
from ordered_mix.draws.relabel.separation import APART, closest

DEFAULTS = {"mu": "mu", "sigma": "sigma", "weights": "w"}
MOST_PARAMETERS = 60
SCALES = ("sigma", "tau")


@dataclass(frozen=True)
class Asked:
    """The arguments of `relabel` that say what the draws are."""

    mu: Given = "mu"
    sigma: Given = "sigma"
    weights: Given = "w"
    tau: Given = None
    chol: Given = None
    cov: Given = None
    parameters: tuple[str, ...] = ()
    separate: tuple[tuple[str, ...], ...] = ()
    responsibilities: str | ArrayLike | None = None
    log_likelihood: str | ArrayLike | None = None
    allocations: tuple[str, ...] = ()
    y: ArrayLike | None = None
    dims: tuple[str, ...] | None = None
    seed: int = 0
    group: str = "posterior"

    @property
    def other_evidence(self) -> bool:
        """Whether something besides normal components is given."""
        others = (self.responsibilities, self.log_likelihood)
        return bool(self.parameters or self.separate or self.allocations) or any(
            one is not None for one in others
        )

    def named(self, posterior: xr.Dataset) -> dict[str, Given]:
        """What is named, by role; default names that are not there are left out."""
        roles: dict[str, Given] = {"mu": self.mu, "sigma": self.sigma, "weights": self.weights}
        roles |= {"tau": self.tau, "chol": self.chol, "cov": self.cov}
        instead = [name for name in ("tau", "chol", "cov") if roles[name] is not None]
        if instead and roles["sigma"] == "sigma":
            del roles["sigma"]
        if len(instead) > 1 or (instead and roles.get("sigma") is not None):
            both = [*instead, *(["sigma"] if roles.get("sigma") is not None else [])]
            raise ValueError(f"one of sigma, tau, chol and cov must be given, got {both}")
        for role, default in DEFAULTS.items():
            absent = _is(roles.get(role), default) and default not in posterior
            if absent and self.other_evidence:
                del roles[role]
        roles |= {name: name for name in self.parameters}
        return {role: value for role, value in roles.items() if value is not None}


@dataclass(eq=False)
class Known:
    """Draws as they were understood.

    Parameters
    ----------
    shape : tuple of int
        (chain, draw, component).
    named : dict of str to Named
        What the user named, by its role, or by its name where it has none.
    w : ndarray, shape (chain, draw, component), or None
        The weights, which add up to 1.
    roles : dict of str to ndarray, shape (chain, draw, component)
        mu, sigma and w as far as they are one number for each component.
    parameters : dict of str to ndarray, shape (chain, draw, component)
        All component-indexed scalars that are sampled, scales in logarithms.
    y : ndarray or None
        The data.
    stored : ndarray, shape (chain, draw, point), or None
        The pointwise log likelihood that came with the draws.
    """

    shape: tuple[int, int, int]
    named: dict[str, Named]
    w: Array | None
    roles: dict[str, Array] = field(default_factory=dict)
    parameters: dict[str, Array] = field(default_factory=dict)
    y: Array | None = None
    stored: Array | None = None
    responsibilities: Responsibilities | None = None
    allocations: Allocations | None = None
    first: int = 0
    check: Check | None = None
    notes: list[str] = field(default_factory=list)
    seed: int = 0

    @property
    def components(self) -> int:
        """Number of components."""
        return self.shape[2]

    @property
    def default_method(self) -> str:
        """What is done where no method is asked for."""
        if self.responsibilities is not None:
            return "stephens"
        return "ecr_iterative_1" if self.allocations is not None else "separate"

    @property
    def evidence(self) -> Evidence:
        """What algorithms take."""
        likelihood = None if self.stored is None else self.stored.sum(axis=-1)
        y = self.y if self.y is not None and self.y.ndim == 1 else None
        return Evidence(
            components=self.components,
            parameters=self.parameters,
            responsibilities=self.responsibilities,
            given_allocations=self.allocations,
            y=y,
            roles=self.roles,
            log_likelihood=likelihood,
            seed=self.seed,
            advice=self.advice,
        )

    @property
    def advice(self) -> str:
        """What to pass where a likelihood is missing."""
        why = "y must hold the data, got None" if self.check is None else self.check.sentence
        return (
            f"method needs a likelihood: {why.rstrip('.')}; pass responsibilities, log_likelihood "
            "(by component) or allocations of the model, or a method that needs none, such as "
            "separate"
        )

    def order(self, by: str | None, found: Relabelling) -> Array:
        """What labels ascend in."""
        known = {**self.parameters, **self.roles}
        known |= {one.name: known[role] for role, one in self.named.items() if role in known}
        if by is not None:
            if by not in known:
                raise ValueError(
                    f"order must name a component parameter with one number for each component, "
                    f"one of {', '.join(known)}, got {by!r}{hint(by, known)}"
                )
            return known[by]
        if not self.parameters:
            return np.zeros(self.shape)
        if "mu" in self.parameters:
            means = {"mu": self.parameters["mu"]}
            if closest(means, found.permutation, self.w)[0] >= APART:
                return means["mu"]
        return self.parameters[closest(self.parameters, found.permutation, self.w)[1]]


def know(tree: xr.DataTree, asked: Asked) -> Known:
    """Read and check everything that is named, before any work."""
    posterior = tree[asked.group].to_dataset()
    named = Reader(posterior, asked.dims).read(asked.named(posterior))
    chains, draws = posterior.sizes["chain"], posterior.sizes["draw"]
    z, first = _allocations(posterior, asked)
    p = _given_responsibilities(tree, asked, named)
    fallback = p.components if p is not None else None if z is None else int(z.max()) + 1
    shape = (chains, draws, number_of_components(list(named.values()), fallback))
    weighted = "weights" in named or asked.weights is None
    w, notes = read_weights(named.get("weights"), shape) if weighted else (None, [])
    if p is not None and p.log_joint is not None and w is not None:
        p = _given_responsibilities(tree, asked, named, w)
    known = Known(shape, named, w, allocations=z, first=first, notes=notes, seed=asked.seed)
    known.roles = _roles(named, shape, w)
    known.parameters = _scalars(named, known)
    known.y, observed_name = _data(tree, asked)
    known.stored = stored_pointwise(tree, observed_name)
    _likelihood(known, p)
    return known


def _likelihood(known: Known, p: Responsibilities | None) -> None:
    """Responsibilities that were given, or else those of normal components, checked."""
    squares, model = None, "the components given"
    if p is None and known.y is not None:
        p, squares, model = _normal_components(known)
    if p is None:
        return
    if p.draws != known.shape[:2] or p.components != known.components:
        raise ValueError(
            f"responsibilities must be of {known.shape[:2]} draws and {known.components} "
            f"components, got {p.draws} and {p.components}"
        )
    if p.log_joint is not None:
        known.check = check(p, known.stored, squares, model)
        if not known.check.good:
            known.notes.append(f"{known.check.sentence} It is not used.")
            return
    known.responsibilities = p


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


NORMAL = ("mu", "sigma", "tau", "chol", "cov", "weights")


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


def _roles(
    named: Mapping[str, Named], shape: tuple[int, int, int], w: Array | None
) -> dict[str, Array]:
    """mu, sigma and w where they are one number for each component."""
    roles = {} if w is None else {"w": w}
    mu = named.get("mu")
    if mu is not None and mu.values.ndim <= 3:
        roles["mu"] = one_for_each(mu, shape)
    for role in SCALES:
        one = named.get(role)
        if one is not None and one.values.ndim <= 3:
            values = positive(one.name, one_for_each(one, shape))
            roles["sigma"] = values if role == "sigma" else values**-0.5
            if not one.sampled:
                require_exchangeable(one.name, roles["sigma"])
    weights = named.get("weights")
    if weights is not None and not weights.sampled and w is not None:
        require_exchangeable(weights.name, w)
    return roles


def _scalars(named: Mapping[str, Named], known: Known) -> dict[str, Array]:
    """All sampled component-indexed scalars, by name and index."""
    found: dict[str, Array] = {}
    for role, one in named.items():
        if role == "weights":
            if one.sampled and known.w is not None:
                found["w"] = known.w
            continue
        if not one.by_component:
            continue
        values = finite_values(one.name, one.values)
        if role in SCALES:
            values = np.log(positive(one.name, values))
        name = role if role in ("mu", "sigma") else one.name
        for index in np.ndindex(*values.shape[3:]):
            if len(found) < MOST_PARAMETERS and np.ptp(values[:, :, :, *index]) > 0:
                key = f"{name}[{', '.join(map(str, index))}]" if index else name
                found[key] = values[:, :, :, *index]
    return found


def _allocations(posterior: xr.Dataset, asked: Asked) -> tuple[Allocations | None, int]:
    """Allocations of all points, (chain, draw, point), from 0 on, and their first number."""
    if not asked.allocations:
        return None, 0
    arrays = []
    for name in asked.allocations:
        if name not in posterior:
            known = [str(one) for one in posterior.data_vars]
            raise ValueError(
                f"allocations {name!r} is not a variable of the posterior, which holds "
                f"{', '.join(known)}{hint(name, known)}"
            )
        values = front(posterior[name]).to_numpy()
        if np.any(values != np.floor(values)) or values.min() < 0:
            raise ValueError(f"allocations {name!r} must hold whole numbers from 0 or 1 on")
        arrays.append(values.reshape(*values.shape[:2], -1).astype(np.int64))
    z = np.concatenate(arrays, axis=-1)
    first = 1 if z.min() >= 1 and int(z.max()) == _components_hint(posterior, asked) else 0
    return z - first, first


def _components_hint(posterior: xr.Dataset, asked: Asked) -> int | None:
    """K as the named parameters have it, to tell allocations that start at 1."""
    named = Reader(posterior, asked.dims).read(asked.named(posterior))
    try:
        return number_of_components(list(named.values()), None)
    except ValueError:
        return None


def _given_responsibilities(
    tree: xr.DataTree, asked: Asked, named: Mapping[str, Named], w: Array | None = None
) -> Responsibilities | None:
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


def _data(tree: xr.DataTree, asked: Asked) -> tuple[Array | None, str | None]:
    """The data, one-dimensional unless it has two dimensions, and the name of the variable."""
    variables = {}
    if "observed_data" in tree.children:
        variables = {str(name): values for name, values in tree["observed_data"].data_vars.items()}
    name = next(iter(variables)) if len(variables) == 1 else None
    if asked.y is not None:
        values = np.asarray(asked.y, dtype=np.float64)
    elif name is not None and np.issubdtype(variables[name].dtype, np.number):
        values = variables[name].to_numpy().astype(np.float64)
    else:
        return None, name
    two = values.ndim == 2 and (asked.chol is not None or asked.cov is not None)
    return finite_values("y", values if two else values.ravel()), name


def _is(value: Given, text: str) -> bool:
    return isinstance(value, str) and value == text
