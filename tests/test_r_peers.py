"""Parity of EM with R's mclust and mixtools, where R and they are installed."""

import json
import shutil
import subprocess

import numpy as np
import pytest

from ordered_mix.data import Data, load
from ordered_mix.estimators.em import EM
from ordered_mix.estimators.loop.stop import Stop
from ordered_mix.mixture import Mixture
from ordered_mix.multivariate import MultivariatePrior
from ordered_mix.parameterization.catalog import parameterization

UNIVARIATE = {"free": ("V", EM()), "tied": ("E", EM(scales="tied"))}
MULTIVARIATE = {"full": "VVV", "tied": "EEE", "diagonal": "VVI", "spherical": "VII"}

MCLUST = """
suppressMessages(library(mclust))
y <- as.matrix(read.csv("y.csv", header = FALSE)); if (ncol(y) == 1) y <- y[, 1]
control <- emControl(tol = c(0, 0), itmax = c({iterations}, {iterations}), eps = 0)
fit <- suppressWarnings(em{model}(data = y, control = control, parameters = list(
    pro = c({w}), mean = {mean}, variance = {variance})))
show(fit$loglik, fit$parameters$pro, fit$parameters$mean, {sigma})
"""

MIXTOOLS = """
suppressMessages(library(mixtools))
y <- read.csv("y.csv", header = FALSE)[, 1]
invisible(capture.output(fit <- normalmixEM(
    y, lambda = c({w}), mu = c({mu}), sigma = c({sigma}), epsilon = -1, maxit = {iterations})))
show(fit$loglik, fit$lambda, fit$mu, fit$sigma^2)
"""

SHOW = """
show <- function(...) cat("\\n>", paste0("[", paste(sapply(list(...), function(v) paste0(
    "[", paste(format(as.vector(v), digits = 17, trim = TRUE), collapse = ","), "]")),
    collapse = ","), "]"), "\\n")
"""


def missing(package: str) -> str | None:
    if shutil.which("Rscript") is None:
        return "Rscript is not installed"
    code = f'quit(status = !requireNamespace("{package}", quietly = TRUE))'
    asked = subprocess.run(["Rscript", "-e", code], capture_output=True, check=False)
    return f"R package {package} is not installed" if asked.returncode else None


@pytest.fixture(scope="module")
def mclust():
    if reason := missing("mclust"):
        pytest.skip(reason)


@pytest.fixture(scope="module")
def mixtools():
    if reason := missing("mixtools"):
        pytest.skip(reason)


def run_r(folder, y, script):
    np.savetxt(folder / "y.csv", y, fmt="%.17g", delimiter=",")
    done = subprocess.run(
        ["Rscript", "-e", SHOW + script], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout.rpartition(">")[2])
    return [np.array(values) for values in answer]


def vector(values) -> str:
    return ", ".join(f"{value:.17g}" for value in np.ravel(values, order="F"))


@pytest.mark.parametrize("scales", sorted(UNIVARIATE))
def test_mclust_in_one_dimension(tmp_path, mclust, scales):
    model, estimator = UNIVARIATE[scales]
    start = Mixture([0.3, 0.7], [4.0, 6.0], [0.6, 0.6])
    data = load("acidity")
    squares = vector([0.36] if model == "E" else [0.36, 0.36])
    script = MCLUST.format(
        model=model,
        iterations=30,
        w=vector(start.w),
        mean=f"c({vector(start.mu)})",
        variance=f'list(modelName = "{model}", d = 1, G = 2, sigmasq = c({squares}))',
        sigma="fit$parameters$variance$sigmasq",
    )
    _, w, mu, variance = run_r(tmp_path, data.y, script)
    fit = EM(scales=estimator.scales, stop=Stop(0.0, passes=31)).fit(
        parameterization("unordered", 2), data, start
    )
    np.testing.assert_allclose(fit.mixture.w, w, rtol=1e-8)
    np.testing.assert_allclose(fit.mixture.mu, mu, rtol=1e-8)
    np.testing.assert_allclose(fit.mixture.sigma**2, np.broadcast_to(variance, 2), rtol=1e-8)


@pytest.mark.parametrize("covariance", sorted(MULTIVARIATE))
def test_mclust_in_two_dimensions(tmp_path, mclust, covariance):
    model = MULTIVARIATE[covariance]
    y = np.column_stack([load("faithful:eruptions").y, load("faithful:waiting").y / 20])
    mu = np.array([[2.0, 2.5], [4.0, 4.2]])
    variances = {
        "VVV": "sigma = array(diag(2), c(2, 2, 2)), cholsigma = array(diag(2), c(2, 2, 2))",
        "EEE": "Sigma = diag(2), cholSigma = diag(2)",
        "VVI": "scale = c(1, 1), shape = matrix(1, 2, 2)",
        "VII": "sigmasq = c(1, 1)",
    }
    script = MCLUST.format(
        model=model,
        iterations=20,
        w="0.4, 0.6",
        mean=f"matrix(c({vector(mu.T)}), 2)",
        variance=f'list(modelName = "{model}", d = 2, G = 2, {variances[model]})',
        sigma="fit$parameters$variance$sigma",
    )
    _, w, mean, sigma = run_r(tmp_path, y, script)
    one = parameterization("unordered", 2, MultivariatePrior(covariance=covariance))
    fit = EM(stop=Stop(0.0, passes=21)).fit(
        one, Data.of_points(y), Mixture([0.4, 0.6], mu, covariance=np.eye(2))
    )
    np.testing.assert_allclose(fit.mixture.w, w, rtol=1e-8)
    np.testing.assert_allclose(fit.mixture.mu.ravel(), mean, rtol=1e-8)
    np.testing.assert_allclose(fit.mixture.covariance.ravel(), sigma, rtol=1e-8, atol=1e-12)


def test_mixtools_in_one_dimension(tmp_path, mixtools):
    data = Data(load("faithful:waiting").y)
    start = Mixture([0.5, 0.5], [55.0, 80.0], [5.0, 5.0])
    script = MIXTOOLS.format(
        w=vector(start.w),
        mu=vector(start.mu),
        sigma=vector(start.sigma),
        epsilon=-1.0,
        iterations=400,
    )
    log_likelihood, w, mu, variance = run_r(tmp_path, data.y, script)
    fit = EM(stop=Stop(0.0, passes=401)).fit(parameterization("unordered", 2), data, start)
    np.testing.assert_allclose(fit.log_likelihood, log_likelihood[0], rtol=1e-12)
    np.testing.assert_allclose(fit.mixture.w, w, rtol=1e-8)
    np.testing.assert_allclose(fit.mixture.mu, mu, rtol=1e-8)
    np.testing.assert_allclose(fit.mixture.sigma**2, variance, rtol=1e-8)
