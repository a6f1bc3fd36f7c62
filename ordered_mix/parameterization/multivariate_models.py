"""A PyMC model in several dimensions, as a person would write it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pytensor.tensor import TensorVariable

from ordered_mix.data import Data
from ordered_mix.multivariate import MultivariatePrior
from ordered_mix.prior import COMPONENT
from ordered_mix.prior.declare import dimension

if TYPE_CHECKING:
    from ordered_mix.parameterization.multivariate import MultivariateParameterization

COORDINATE = "coordinate"


def plain_model(one: MultivariateParameterization, data: Data) -> pm.Model:
    """A model of plain PyMC variables with the observed variable ``y``.

    Full and tied covariances have the coordinates of Bartlett's decomposition, the adaptive prior
    its betas; the law of the mixture is that of the parameterization.

    Raises
    ------
    ValueError
        If the data are weighted or a batch, which an observed variable cannot express, or have
        other columns than the prior.
    """
    if data.weight is not None or data.y.ndim != 2:
        raise ValueError(f"data of a PyMC model must be one unweighted sample, {data!r} is not")
    if data.d != one.prior.d:
        raise ValueError(f"data must have the {one.prior.d} columns of the prior, got {data.d}")
    with pm.Model(coords={COORDINATE: list(data.columns)}) as model:
        w, mu, root = declare(one)
        normals = [pm.MvNormal.dist(mu[j], chol=root[j]) for j in range(one.k)]
        dims = (dimension("point", data.n), COORDINATE)
        if one.k == 1:
            pm.MvNormal("y", mu[0], chol=root[0], observed=data.y, dims=dims)
        else:
            pm.Mixture("y", w, normals, observed=data.y, dims=dims)
    return model


def declare(one: MultivariateParameterization) -> tuple[Any, Any, Any]:
    """Declare the priors in the open model and return (w, mu, Cholesky factors)."""
    prior, k = one.prior, one.k
    w, along, _ = one.module.block(k, one.along.prior, **one.options)
    b, spread = one.frame
    mu = np.asarray(prior.location) + (along - one.along.prior.location)[:, None] * b
    if prior.d > 1:
        mu = mu + pm.Normal("across", 0.0, 1.0, shape=(k, prior.d - 1)) @ spread.T
    component = dimension(COMPONENT, k)
    mu = pm.Deterministic("means", mu, dims=(component, COORDINATE))
    root = pt.stack(_roots(prior, k))
    pm.Deterministic("covariance", root @ pt.matrix_transpose(root))
    return w, mu, root


def _roots(prior: MultivariatePrior, k: int) -> list[TensorVariable]:
    """Cholesky factors of the k components."""
    d = prior.d
    beta = pt.constant(prior.betas)
    if prior.scale_family == "adaptive":
        beta = pm.InverseGamma("beta", 0.5, prior.b0, shape=prior.betas.shape)
    if prior.covariance in ("diagonal", "spherical"):
        variance = pm.InverseGamma("variance", 2.0, beta, shape=(k, prior.betas.size))
        return [pt.diag(pt.sqrt(variance[j]) * np.ones(d)) for j in range(k)]
    scale = pt.diag(pt.sqrt(2 * beta))
    if prior.covariance == "tied":
        return [scale @ _inverse_bartlett("", d)] * k
    return [scale @ _inverse_bartlett(f"_{j}", d) for j in range(k)]


def _inverse_bartlett(name: str, d: int) -> TensorVariable:
    """Factor of an inverse Wishart with d + 3 degrees of freedom and unit scale."""
    square = pm.ChiSquared(f"bartlett_square{name}", np.arange(4.0, d + 4), shape=d)
    lower = pt.diag(pt.sqrt(square))
    if d > 1:
        below = pm.Normal(f"bartlett_below{name}", 0.0, 1.0, shape=d * (d - 1) // 2)
        lower = pt.set_subtensor(lower[np.tril_indices(d, -1)], below)
    return pt.linalg.solve_triangular(lower, np.eye(d), lower=True)
