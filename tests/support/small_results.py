"""Small results of every kind, to compare between processes, threads and machines.

    python tests/support/small_results.py > tests/reference/small_results.json

writes them anew, which is right only if a change of results is meant.
"""

import json
import sys

import numpy as np

STARTS = ([[0.5, 0.5], [0.3, 0.7]], [[50.0, 75.0], [60.0, 85.0]], [[8.0, 8.0], [5.0, 9.0]])


def estimates():
    """Fits of `faithful:waiting` by every point estimator."""
    from ordered_mix.data import load
    from ordered_mix.estimators.ecm import ECM
    from ordered_mix.estimators.em import EM
    from ordered_mix.estimators.gradient import GradientAscent
    from ordered_mix.estimators.loop.stop import Stop
    from ordered_mix.estimators.map import MAP
    from ordered_mix.estimators.natural import NaturalGradient
    from ordered_mix.mixture import Mixture
    from ordered_mix.optima.multistart import MultiStart
    from ordered_mix.parameterization import catalog
    from ordered_mix.prior import Prior

    data, starts = load("faithful:waiting"), Mixture(*STARTS)
    few, many = Stop(passes=12), Stop(log_likelihood=1e-11, passes=3000)
    prior = Prior().affine(float(data.location), float(data.scale))
    relative = catalog.parameterization("relative", 2, prior)
    fits = {
        "EM, 12 passes": EM(stop=few).fit(relative, data, starts),
        "EM": EM(stop=many).fit(relative, data, starts),
        "ECM, 12 passes": ECM(stop=few).fit(relative, data, starts),
        "MAP": MAP().fit(relative, data, starts),
        "MAP without Jacobian": MAP(jacobian=False).fit(relative, data, starts),
        "gradient, 12 passes": GradientAscent(stop=few).fit(relative, data, starts),
        "natural gradient": NaturalGradient(stop=many).fit(relative, data, starts),
    }
    found = {
        name: [fit.log_likelihood, fit.mixture.w, fit.mixture.mu, fit.mixture.sigma]
        for name, fit in fits.items()
    }
    best = MultiStart(starts=8, seed=5).fit(catalog.parameterization("unordered", 3), data)
    found["multi-start"] = [best.log_likelihood]  # along its flat top the mixtures differ more
    z = np.linspace(-1, 1, relative.dimension)
    found["density of the sampler"] = list(relative.log_posterior(z, data))
    return found


def measures():
    """Criteria and convergence of fixed draws, and cells of a study."""
    from ordered_mix.data import load
    from ordered_mix.draws.convergence import raw_and_sorted
    from ordered_mix.draws.elpd import loo, pointwise_log_likelihood, waic
    from ordered_mix.engine.run import load_study

    rng = np.random.default_rng(7)
    data, shape = load("faithful:waiting"), (2, 100, 2)
    w = rng.dirichlet([36.0, 64.0], shape[:2])
    mu = np.array([54.6, 80.1]) + 0.5 * rng.standard_normal(shape)
    sigma = 5.9 * np.exp(0.05 * rng.standard_normal(shape))
    waic_, loo_ = (kind(pointwise_log_likelihood(data.y, w, mu, sigma)) for kind in (waic, loo))
    table = raw_and_sorted(w, mu, sigma).select_dtypes("number")
    study = load_study("em_rates")
    one = study.experiments["em_rates"]
    rows = [row for cell in study.cells("smoke") for row in one.cell(cell.seed, **cell.factors)]
    numbers = [[value for value in row.values() if isinstance(value, float)] for row in rows]
    criteria = [waic_.elpd, loo_.elpd]
    return {"criteria": criteria, "convergence": table.to_numpy(), "study": numbers}


def large():
    """A pass over enough points to be spread over threads."""
    from ordered_mix.data import Data
    from ordered_mix.estimators.em import EM
    from ordered_mix.estimators.loop.stop import Stop
    from ordered_mix.mixture import Mixture
    from ordered_mix.parameterization.catalog import parameterization

    y = Data(np.random.default_rng(2).normal(size=2_100_000))
    start = Mixture([0.5, 0.5], [-1.0, 1.0], [1.0, 2.0])
    fit = EM(stop=Stop(passes=3)).fit(parameterization("unordered", 2), y, start)
    return {"large": [fit.log_likelihood, fit.mixture.mu]}


def plain(value):
    """Nested lists of Python numbers."""
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return np.asarray(value).tolist()


def everything():
    return plain(estimates() | measures() | large())


if __name__ == "__main__":
    json.dump(everything(), sys.stdout, indent=1)
    print()
