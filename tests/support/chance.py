"""Seeds of the tests that draw, and thresholds whose false alarms add up to 1e-4 over the suite.

A test that draws is marked ``chance`` and has an equal share of SUITE, which it divides by the
number of its comparisons. ``make test SEEDS=n`` shifts every seed.
"""

import os

import numpy as np
from scipy import stats

SUITE = 1e-4
TESTS = 365
SHIFT = 10_000 * int(os.environ.get("SEEDS") or 0)
ENOUGH = 200
# whether the running test is counted; the suite's conftest says so
counted = False


def seed(base):
    """The seed that a test calls base: another one for each value of SEEDS."""
    return base + SHIFT


def rng(base):
    """A generator with this seed."""
    return np.random.default_rng(seed(base))


def alpha(comparisons=1):
    """False-alarm probability of one comparison, of as many in the test that is running."""
    assert counted, "a test that draws must be marked chance: its false alarms are counted"
    return SUITE / TESTS / comparisons


def z_for(comparisons=1, ess=np.inf):
    """How many standard errors a comparison may be off, on either side.

    The quantile is Student's, with a quarter of the effective sample size for its degrees of
    freedom: a standard error estimated from correlated draws is no better than one from a quarter
    as many independent ones (measured in test_chance.py).
    """
    return float(stats.t.isf(alpha(comparisons) / 2, ess / 4))


def proportion(hits, trials, probability, comparisons=1):
    """Whether so many independent hits are no surprise, by the exact binomial tails."""
    tails = (
        stats.binom.cdf(hits, trials, probability),
        stats.binom.sf(hits - 1, trials, probability),
    )
    return min(tails) > alpha(comparisons) / 2


def mean_of(values, truth, comparisons=1):
    """Whether the mean of independent values, along the first axis, may be the truth."""
    values = np.asarray(values, dtype=float)
    error = values.std(axis=0, ddof=1) / np.sqrt(len(values))
    limit = stats.t.isf(alpha(comparisons) / 2, len(values) - 1)
    return bool(np.all(np.abs(values.mean(axis=0) - truth) <= limit * error))


def spread_of(values, truth, comparisons=1):
    """Whether independent normal values may have this standard deviation, by chi squared."""
    values = np.asarray(values, dtype=float)
    freedom = len(values) - 1
    scaled = freedom * values.var(axis=0, ddof=1) / np.asarray(truth) ** 2
    low, high = stats.chi2.ppf([alpha(comparisons) / 2, 1 - alpha(comparisons) / 2], freedom)
    return bool(np.all((low <= scaled) & (scaled <= high)))


def errors_of(values, errors, freedom, comparisons=1):
    """Whether independent normal values may spread as their standard errors say.

    Each error has so many degrees of freedom, so that the ratio of the variances is Fisher's F.
    """
    count = len(values)
    ratio = np.var(values, ddof=1) / np.mean(np.square(errors))
    half = alpha(comparisons) / 2
    low, high = stats.f.ppf([half, 1 - half], count - 1, count * freedom)
    return bool(low <= ratio <= high)


def rhat_limit(ess, chains, comparisons=1):
    """Largest R-hat of chains that agree, for their effective sample size.

    Means of 2 C split chains that share S effective draws have the variance 2 C / S of the draws,
    so that R-hat^2 - 1 is 2 C / S times a chi squared over its 2 C - 1 degrees of freedom (Vehtari
    et al. 2021, eqs. 1-4). It is the larger of two, that of ranks and that of folded ranks.
    """
    split = 2 * chains
    noise = stats.chi2.isf(alpha(2 * comparisons), split - 1) / (split - 1)
    return np.sqrt(1 + split / np.asarray(ess) * noise)


def table_of(measured, comparisons=1, enough=ENOUGH):
    """Convergence of the quantities, whose chains must agree and have draws enough to judge."""
    from ordered_mix.draws.convergence import convergence  # arviz takes a second to import

    table = convergence(measured)
    ess = table[["ess_bulk", "ess_tail"]].min(axis=1)
    assert ess.min() >= enough, table
    chains = len(next(iter(measured.values())))
    assert np.all(table["rhat"] <= rhat_limit(ess, chains, comparisons)), table
    return table


def check_means(measured, truths, comparisons, error=0.0, enough=ENOUGH):
    """Means of draws against truths that have a standard error of their own, by Monte Carlo errors.

    Parameters
    ----------
    measured : mapping of str to array, shape (chain, draw) or (chain, draw, component)
    truths : mapping of str to float or array, shape (component,)
    comparisons : int
        Of the whole test.
    error : mapping of str to float, or 0
        Standard errors of the truths.
    """
    table = table_of(measured, 3 * comparisons, enough)
    for name, rows in table.groupby("quantity"):
        own = error[name] if error else 0.0
        missed = np.abs(np.mean(measured[name], axis=(0, 1)) - truths[name])
        allowed = z_for(1.5 * comparisons, rows["ess_bulk"].min()) * np.hypot(
            rows["mcse_mean"], own
        )
        assert np.all(missed <= allowed), (name, missed, allowed, rows)
