"""From a model file to everything a study needs: maps, Jacobians, densities, PyMC models.

A model file holds ``block(k, prior, **options)``, which declares the priors in an open PyMC model
and returns (w, mu, sigma), and ``coordinates(mixture, **options)``, the inverse map. Optional are
``skip(k, prior, **options)`` and ``not_for_nuts(**options)``, which give a reason or None,
``rescaled(scale, **options)``, which converts options that carry the unit of the data,
``clearances(**options)``: what the gaps of ``mu`` and of ``sigma`` and the weights ``w`` exceed,
and ``bounds(**options)``: least values of free variables, by name, that ascents keep by projection.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ordered_mix.data import Data
from ordered_mix.mixture import Array, Mixture
from ordered_mix.parameterization import catalog
from ordered_mix.parameterization.domain import Domain, sorted_keys
from ordered_mix.prior import COMPONENT, Prior
from ordered_mix.stream.stream import Stream, moments_of

if TYPE_CHECKING:
    import pymc as pm

    from ordered_mix.parameterization.graphs import MixtureGraph


class NotApplicable(ValueError):
    """A parameterization that does not exist for this number of components or this prior."""


# what reads or builds a model imports PyMC where it begins: EM, which has no model, takes a second


@dataclass(frozen=True, eq=False)
class Parameterization:
    """A coordinate system for mixtures with k components, derived from its model file.

    Unconstrained coordinates are flat vectors z of length ``dimension`` in the order of the
    model's value variables; free coordinates x are the same before the transforms, with the last
    weight dropped. Every map takes leading batch axes.

    Parameters
    ----------
    name : str
        What tables call it.
    module : module
        The model file.
    k : int
        Number of components.
    prior : Prior
        The prior, in the units of the data it will meet.
    options : mapping
        Keyword options of the model file.

    Raises
    ------
    NotApplicable
        If the model file skips this k, prior or option, with its reason.
    """

    name: str
    module: ModuleType = field(repr=False)
    k: int
    prior: Prior
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for function in ("block", "coordinates"):
            if not callable(getattr(self.module, function, None)):
                raise ValueError(
                    f"model file {self.name!r} must define block(k, prior) and "
                    f"coordinates(mixture), it lacks {function}"
                )
        if not isinstance(self.k, int | np.integer) or self.k < 1:
            raise ValueError(f"k must be a whole number of at least 1, got {self.k}")
        accepted = list(inspect.signature(self.module.block).parameters)[2:]
        unknown = sorted(set(self.options) - set(accepted))
        if unknown:
            raise ValueError(
                f"options of {self.name} must be among {', '.join(accepted) or 'none'}, "
                f"got {', '.join(unknown)}"
            )
        for name, known in self.prior.known.items():
            if len(known) != self.k:
                raise ValueError(f"known_{name} must hold {self.k} values, got {len(known)}")
        try:
            reason = self._hook("skip", self.k, self.prior)
        except TypeError as error:
            raise ValueError(
                f"options of {self.label} must have values it can use: {error}"
            ) from error
        if reason:
            raise NotApplicable(f"{self.label} does not apply: {reason}")

    def __reduce__(self) -> tuple[Any, ...]:
        file = self.module.__file__
        own = self.module.__name__.startswith(f"{catalog.PACKAGES['parameterization']}.")
        source = self.module.__name__.rpartition(".")[2] if own else str(file)
        return _of_source, (self.name, source, self.k, self.prior, dict(self.options))

    @property
    def label(self) -> str:
        """Name with the options that were given, e.g. ``relative(link=square)``."""
        given = ", ".join(f"{key}={value}" for key, value in sorted(self.options.items()))
        return f"{self.name}({given})" if given else self.name

    @property
    def summary(self) -> str:
        """First line of the model file's docstring."""
        return (self.module.__doc__ or "").strip().partition("\n")[0]

    @property
    def reason_not_sampled(self) -> str | None:
        """Why NUTS cannot sample these coordinates, if so."""
        return self._hook("not_for_nuts")

    @cached_property
    def graph(self) -> MixtureGraph:
        """The compiled maps of this structure, shared by all priors of the same form."""
        from ordered_mix.parameterization.graphs import build_graph

        return build_graph(self.module, self.k, self.prior, self.options)

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Shape of a point of the data: a number."""
        return ()

    @property
    def dimension(self) -> int:
        """Number of free coordinates."""
        return self.graph.dimension

    @cached_property
    def domain(self) -> Domain:
        """What the mixtures are sorted by and how far they keep from the boundary."""
        if self.graph.orders is None:
            self.graph.orders = self._orders()
        return Domain(self.graph.orders, self.clearances)

    @property
    def clearances(self) -> Mapping[str, float]:
        """What the model file says that gaps of ``mu`` and ``sigma`` and weights ``w`` exceed."""
        return self._hook("clearances") or {}

    @property
    def lower(self) -> Array:
        """Least values of the free coordinates that the model file declares; shape (dimension,)."""
        lower = np.full(self.dimension, -np.inf)
        bounds = self._hook("bounds") or {}
        for name, where in self.graph.slices.items():
            lower[where] = bounds.get(name, -np.inf)
        return lower

    @property
    def order_by(self) -> str | None:
        """What the components are sorted by to enter the domain; None if nothing."""
        return self.domain.orders[0] if self.domain.orders else None

    @property
    def labellings(self) -> int:
        """How often the domain covers each unlabelled mixture: 1 if identifiable, else K!."""
        return 1 if self.order_by or self.k == 1 else math.factorial(self.k)

    def affine(self, location: float, scale: float) -> Parameterization:
        """This parameterization for ``location + scale * y``: prior and options rescaled."""
        rescaled = getattr(self.module, "rescaled", None)
        options = rescaled(scale, **self.options) if rescaled else self.options
        return replace(self, prior=self.prior.affine(location, scale), options=options)

    def forward(self, z: Array) -> Mixture:
        """Mixture at the unconstrained coordinates z, shape (..., dimension)."""
        return Mixture(*self.graph.forward(z, self.prior))

    def unconstrain(self, mixture: Mixture) -> Array:
        """Unconstrained coordinates of a mixture, shape (..., dimension).

        Raises
        ------
        ValueError
            If the mixture lies outside the domain; the message names the gap or the weight.
        """
        if mixture.k != self.k:
            raise ValueError(f"mixture must have {self.k} components, it has {mixture.k}")
        z = self.unconstrain_unchecked(mixture)
        outside = ~np.isfinite(z).all(axis=-1)
        violation = self.domain.violation(mixture, outside)
        if violation is None and np.any(outside):
            slices = self.graph.slices.items()
            bad = [name for name, at in slices if not np.isfinite(z[..., at]).all()]
            violation = f"its {' and '.join(bad)} must have finite unconstrained coordinates"
        if violation is not None:
            raise ValueError(f"mixture must lie inside the domain of {self.label}: {violation}")
        return z

    def unconstrain_unchecked(self, mixture: Mixture) -> Array:
        """`unconstrain` unchecked: NaN or infinite outside of the domain and on its boundary."""
        with np.errstate(invalid="ignore", divide="ignore"):
            values = self.coordinates(mixture)
            return self.unconstrain_free(self.graph.flatten(values, mixture.batch_shape))

    def coordinates(self, mixture: Mixture) -> dict[str, Any]:
        """Values of the free variables at a mixture, by name, as the model file gives them."""
        found = self.module.coordinates(mixture, **self.options)
        return {**found, **self.prior.common_coordinates(mixture)}

    def inside(self, z: Array) -> NDArray[np.bool_]:
        """Whether `unconstrain` leads back to z, shape (...).

        It does not from the other side of a closed boundary (``link="identity"``), nor from the
        mirror image of a gap (``link="square"``).
        """
        back = self.unconstrain_unchecked(self.forward(z))
        return np.isclose(back, z, rtol=1e-6, atol=1e-6).all(axis=-1)

    def start(self, mixture: Mixture | None = None) -> Array:
        """Unconstrained coordinates of the nearest mixture inside the domain.

        The components are sorted; gaps are kept a thousandth of the mean scale above their
        clearance, weights a thousandth of the room above theirs. Tied means would lie at minus
        infinity of a log gap.

        Parameters
        ----------
        mixture : Mixture, optional
            Any start with k components, by default equal weights and the quantiles of the prior.

        Returns
        -------
        array, shape (..., dimension)
        """
        if mixture is None:
            # scipy takes a third of a second to import, which EM alone does not need
            from scipy.special import ndtri

            quantile = ndtri((np.arange(self.k) + 0.5) / self.k)
            mu = self.prior.location + self.prior.spread * quantile
            mixture = Mixture(np.full(self.k, 1 / self.k), mu, self.prior.scale)
        return self.unconstrain(self.domain.nearest(mixture))

    def free(self, z: Array) -> Array:
        """Free coordinates x of the unconstrained coordinates, shape (..., dimension)."""
        return self.graph.free(z, self.prior)

    def unconstrain_free(self, x: Array) -> Array:
        """Unconstrained coordinates of the free coordinates, the inverse of `free`."""
        return self.graph.unconstrain_free(x, self.prior)

    def forward_free(self, x: Array) -> Mixture:
        """Mixture at the free coordinates x, shape (..., dimension)."""
        return Mixture(*self.graph.forward_free(x, self.prior))

    def jacobian(self, z: Array) -> Array:
        """Derivatives of (w, mu, sigma) in z, shape (..., 3 k, dimension)."""
        return self.graph.jacobian(z, self.prior)

    def jacobian_free(self, x: Array) -> Array:
        """Derivatives of (w, mu, sigma) in the free coordinates, shape (..., 3 k, dimension)."""
        return self.graph.jacobian_free(x, self.prior)

    def log_det(self, z: Array) -> Array:
        """Log ``|d(w_1 .. w_(K-1), mu, sigma) / dz|`` from automatic differentiation, shape (...).

        Known values are left out; a common scale counts once.
        """
        return self._log_det(self.jacobian(z))

    def log_det_free(self, x: Array) -> Array:
        """Log absolute determinant of the map from the free coordinates, shape (...)."""
        return self._log_det(self.jacobian_free(x))

    def log_prior(self, z: Array, jacobian: bool = True) -> Array:
        """Log prior density at z, of z itself or (``jacobian=False``) of the free coordinates."""
        return self.graph.log_prior(z, self.prior, jacobian)[0]

    def log_posterior(
        self, z: Array, data: Data | Stream, jacobian: bool = True
    ) -> tuple[Array, Array]:
        """Unnormalised log posterior and its gradient in z, for one pass over the data.

        Parameters
        ----------
        z : array, shape (..., dimension)
            Unconstrained coordinates.
        data : Data or Stream
            One sample, or a batch that broadcasts against the batch axes of z.
        jacobian : bool
            Whether the density is that of z or that of the free coordinates.

        Returns
        -------
        log_posterior : array, shape (...)
        gradient : array, shape (..., dimension)
        """
        w, mu, sigma, log_prior = self.graph.everything(z, self.prior, jacobian)
        moments = moments_of(data, w, mu, sigma)
        scores = (
            moments.s0 / w,
            moments.s1 / sigma**2,
            moments.s2 / sigma**3 - moments.s0 / sigma,
        )
        gradient = self.graph.pullback_everything(z, self.prior, jacobian, *scores)
        return log_prior + moments.log_likelihood, gradient

    def draw_prior(self, count: int, seed: int) -> Mixture:
        """Prior draws of the PyMC model, batch shape (count,)."""
        import pymc as pm

        from ordered_mix.parameterization import prior_draws

        with pm.Model():
            parameters = self._declare(self.prior)
        return Mixture(*prior_draws.draw(parameters, count, seed))

    def model(self, data: Data) -> pm.Model:
        """The PyMC model a person would write, with the observed variable ``y``.

        Raises
        ------
        ValueError
            If the data are weighted or a batch, which an observed variable cannot express.
        """
        from ordered_mix.parameterization.pymc_models import plain_model

        return plain_model(self._declare, self.k, self.prior, data)

    def fused_model(self) -> pm.Model:
        """The model around the fused pass, for our sampler.

        Data, weights, prior and the inverse temperature of the likelihood are `pymc.Data`
        containers that a compiled model swaps.
        """
        from ordered_mix.parameterization.pymc_models import fused_model

        return fused_model(self._declare, self.prior)

    def fused_data(self, data: Data, inverse_temperature: float = 1.0) -> dict[str, Any]:
        """Values of the twin's data containers for one sample."""
        from ordered_mix.parameterization.pymc_models import fused_data

        return fused_data(self.prior, data, inverse_temperature)

    def _declare(self, prior: Prior) -> tuple[Any, Any, Any]:
        import pymc as pm

        from ordered_mix.prior.declare import dimension

        model = pm.modelcontext(None)
        parameters = self.module.block(self.k, prior, **self.options)
        dims = dimension(COMPONENT, self.k)
        for name, value in zip(("w", "mu", "sigma"), parameters, strict=True):
            if name not in model.named_vars:
                pm.Deterministic(name, value, dims=dims)
        return parameters

    def _hook(self, name: str, *arguments: Any) -> Any:
        hook = getattr(self.module, name, None)
        return hook(*arguments, **self.options) if hook else None

    def _orders(self) -> tuple[str, ...]:
        z = np.random.default_rng(0).standard_normal((1024, self.dimension))
        found = sorted_keys(self.forward(z[:64]))
        if found or self.k == 1:
            return found
        # coordinates without a transform (link='identity') leave the domain at some of the points
        return sorted_keys(self.forward(z[self.inside(z)]))

    def _log_det(self, jacobian: Array) -> Array:
        k, prior = self.k, self.prior
        rows = list(range(k - 1)) if prior.known_w is None else []
        rows += range(k, 2 * k) if prior.known_mu is None else ()
        if prior.known_sigma is None:
            rows += range(2 * k, 2 * k + 1 if prior.common_scale else 3 * k)
        return np.linalg.slogdet(jacobian[..., rows, :])[1]


def _of_source(
    name: str, source: str, k: int, prior: Prior, options: Mapping[str, Any]
) -> Parameterization:
    """A parameterization that travelled without its module, which is its file or its name."""
    return Parameterization(name, catalog.module(source), k, prior, options)
