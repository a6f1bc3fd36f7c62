"""Information criteria of point fits: AIC, BIC, ICL and the singular BIC of a family of mixtures.

All are on the deviance scale, -2 times a log likelihood: smaller is better.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ordered_mix.arrays import Array, finite
from ordered_mix.mixture import Mixture


class Criteria(NamedTuple):
    """Criteria of a fit, each of the batch shape of the fit; smaller is better."""

    aic: Array
    bic: Array
    icl: Array


def point_criteria(
    y: ArrayLike,
    mixture: Mixture,
    parameters: int,
    weight: ArrayLike | None = None,
) -> Criteria:
    """AIC, BIC and ICL of maximum likelihood fits.

    With L the log likelihood, d the number of free parameters and r_ik the responsibilities:
    ``AIC = 2 d - 2 L``, ``BIC = d log n - 2 L``, ``ICL = BIC - 2 sum_ik r_ik log r_ik``.

    Parameters
    ----------
    y : array_like, shape (point,) or (point, d)
        The data.
    mixture : Mixture
        A fit, or a batch of fits to the same data.
    parameters : int
        Number of free parameters d; ``3 K - 1`` if weights, means and scales are all free.
    weight : array_like, shape (point,), optional
        How often each point counts; n is their sum.

    References
    ----------
    Akaike (1974), IEEE Trans. Automatic Control 19, 716-723. Schwarz (1978), Annals of Statistics
    6, 461-464. Biernacki, Celeux & Govaert (2000), IEEE PAMI 22, 719-725.
    """
    y = finite("y", y)
    if y.ndim != 1 + len(mixture.event_shape) or y.size == 0:
        what = "table of points" if mixture.event_shape else "vector"
        raise ValueError(f"y must be a non-empty {what}, got an array of shape {y.shape}")
    if parameters < 1:
        raise ValueError(f"parameters must be at least 1, got {parameters}")
    log_components = mixture.log_components(y)
    log_density = np.logaddexp.reduce(log_components, axis=-1)
    counts = np.ones(len(y)) if weight is None else finite("weight", weight)
    deviance = -2 * (counts * log_density).sum(axis=-1)
    log_responsibilities = log_components - log_density[..., None]
    responsibilities = np.exp(log_responsibilities)
    terms = np.zeros_like(responsibilities)
    np.multiply(
        responsibilities, log_responsibilities, out=terms, where=np.isfinite(log_responsibilities)
    )
    bic = deviance + parameters * np.log(counts.sum())
    return Criteria(
        deviance + 2 * parameters, bic, bic - 2 * (counts[:, None] * terms).sum(axis=(-2, -1))
    )


def mixture_learning_coefficients(
    components: int, per_component: int = 2, dirichlet: float = 1.0
) -> Array:
    """Bounds on the learning coefficients of mixtures, lambda_ij for i fitted and j <= i true.

    ``lambda_ij = min(j r + j - 1 + phi (i - j), r i + j - 1) / 2`` with r parameters per component
    and weights ~ Dirichlet(phi, ..., phi).

    Parameters
    ----------
    components : int
        Largest number of components.
    per_component : int
        r; 2 for a free mean and a free scale.
    dirichlet : float
        phi.

    Returns
    -------
    ndarray, shape (components, components)
        Row i - 1, column j - 1; infinite where j > i.

    References
    ----------
    Drton & Plummer (2017), JRSS B 79, 323-380, section on Gaussian mixtures; the bound goes back
    to Rousseau & Mengersen (2011), JRSS B 73, 689-710.
    """
    if components < 1 or per_component < 1 or not dirichlet > 0:
        raise ValueError(
            "components and per_component must be at least 1 and dirichlet positive, got "
            f"{components}, {per_component} and {dirichlet}"
        )
    fitted, true = np.ogrid[1 : components + 1, 1 : components + 1]
    emptied = true * per_component + true - 1 + dirichlet * (fitted - true)
    merged = per_component * fitted + true - 1
    return np.where(true <= fitted, np.minimum(emptied, merged) / 2, np.inf)


def sbic(
    log_likelihood: ArrayLike,
    n: float,
    learning_coefficients: ArrayLike,
    multiplicities: ArrayLike | None = None,
) -> Array:
    """Singular BIC of a nested family of models, equal prior weight on each.

    With ``L_ij = exp(log_likelihood_i) n^(-lambda_ij) (log n)^(m_ij - 1)``, x_i is the positive
    root of ``sum_(j <= i) (x_i - L_ij) x_j = 0`` and the result is ``-2 log x_i``: Drton & Plummer
    report log x_i. It equals BIC for the smallest model and for regular families.

    Parameters
    ----------
    log_likelihood : array_like, shape (model,)
        Maximised log likelihoods, the smallest model first.
    n : float
        Number of points, more than 1.
    learning_coefficients : array_like, shape (model, model)
        lambda_ij, for example from `mixture_learning_coefficients`; entries with j > i are
        ignored.
    multiplicities : array_like, shape (model, model), optional
        m_ij; 1 by default.

    References
    ----------
    Drton & Plummer (2017), JRSS B 79, 323-380, section 3.
    """
    maximum = finite("log_likelihood", log_likelihood)
    coefficients = np.asarray(learning_coefficients, dtype=np.float64)
    if maximum.ndim != 1 or coefficients.shape != (maximum.size,) * 2:
        raise ValueError(
            "learning_coefficients must be a square matrix over the models of log_likelihood, got "
            f"shapes {coefficients.shape} and {maximum.shape}"
        )
    finite("learning_coefficients", coefficients[np.tril_indices(maximum.size)])
    if not n > 1:
        raise ValueError(f"n must be more than 1, got {n}")
    log_evidence = maximum[:, None] - coefficients * np.log(n)
    if multiplicities is not None:
        log_evidence = log_evidence + (np.asarray(multiplicities) - 1) * np.log(np.log(n))
    log_x: list[float] = []
    for i, row in enumerate(log_evidence):
        log_x.append(_log_root(np.array(log_x), row[:i], row[i]))
    return -2 * np.array(log_x)


def _log_root(smaller: Array, shared: Array, own: float) -> float:
    """Log of the positive root of ``x^2 + b x - c`` with b = sum x_j - L_ii, c = sum L_ij x_j."""
    if smaller.size == 0:
        return float(own)
    log_sum, log_c = np.logaddexp.reduce(smaller), np.logaddexp.reduce(smaller + shared)
    scale = max(log_sum, own, log_c / 2)
    b = np.exp(log_sum - scale) - np.exp(own - scale)
    root = np.sqrt(b * b + 4 * np.exp(log_c - 2 * scale))
    if b > 0:
        return float(np.log(2) + log_c - scale - np.log(b + root))
    return float(scale + np.log((root - b) / 2))
