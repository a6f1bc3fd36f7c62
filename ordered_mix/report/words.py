"""The words of the report: its answer in one sentence, how it was made, and a glossary."""

from __future__ import annotations

import platform
import re
import shlex
from collections.abc import Collection, Iterable
from dataclasses import fields, replace
from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np

from ordered_mix import __version__
from ordered_mix.compare.comparison import Settings
from ordered_mix.data import Data, shipped
from ordered_mix.files.results import digest
from ordered_mix.fitted.restriction import Restriction
from ordered_mix.prior import KINDS, Prior, default_prior

if TYPE_CHECKING:
    from ordered_mix.compare.comparison import Comparison

LIBRARIES = ("pymc", "pytensor", "nutpie", "arviz", "numba", "numpy")

GLOSSARY = (
    ("Pass", "One evaluation of all responsibilities, over every data point. It is the unit of "
     "cost here: a step of EM, a line-search trial and a leapfrog step of NUTS take one each, on "
     "any machine."),
    ("Sort", "Sort the components of every draw by their means and carry weights and scales along. "
     "Sorted draws do not depend on the labels, so they can be averaged and compared."),
    ("Bimodality", "The share of the variance that the best split in two explains: 0.64 for a "
     "normal distribution, near 1 for two separate modes. What is left after relabelling says that "
     "labels are mixed."),
    ("Relabel", "Give the components of every draw the names under which the draws are most alike, "
     "by sorting or by an algorithm. Weights, means and scales move together, so no draw changes "
     "its density."),
    ("Label switching", "A mixture does not change when its components trade names, so its "
     "posterior has K! mirror images. A sampler that moves between them has switched labels."),
    ("R-hat", "How much the chains differ, as the ratio of two estimates of the spread. Near 1 "
     "they agree; this report wants less than 1.01 on relabelled draws (Vehtari et al. 2021)."),
    ("ESS", "Effective sample size: how many independent draws would estimate as precisely. Bulk "
     "is for the centre of a distribution, tail for its 5 and 95% quantiles."),
    ("MCSE", "Monte Carlo standard error: how far an estimate would move in another run of the "
     "chains of the same length."),
    ("Divergence", "A step on which the sampler's energy ran away. It marks places the sampler "
     "cannot enter, and the posterior may be biased there."),
    ("Gap", "The distance between neighbouring means. Near gap = 0 two components coincide, the "
     "model loses parameters, and an ordering constraint cuts through the posterior."),
    ("elpd", "Expected log predictive density: how well the model predicts new data, in nats, "
     "summed over the points. Higher is better."),
    ("WAIC", "An estimate of elpd from the posterior mean and variance of the log likelihood of "
     "each point (Watanabe 2010). p is its effective number of parameters; it is unreliable for "
     "points with p above 0.4."),
    ("LOO", "An estimate of elpd by leave-one-out cross-validation with Pareto smoothed importance "
     "sampling (Vehtari, Gelman & Gabry 2017). Pareto k above 0.7 marks points it cannot handle."),
    ("Matched priors", "Every parameterization carries the same prior on mixtures, so that "
     "differences come from the coordinates alone."),
    ("MAP and Jacobian", "The posterior mode. A density changes with its coordinates by a "
     "Jacobian, so the mode does too; “no Jacobian” is the mode in the natural parameters."),
)  # fmt: skip
OF_STUDIES = (
    ("Claim", "A statement with its source, and a margin that was fixed before the study was run: "
     "where the effect must lie for the statement to be true."),
    ("Effect", "The number that decides a claim, with its 95% interval over independent "
     "observations, such as data sets. The interval of a deterministic effect reaches as far as "
     "a coarser computation changes it, such as a grid of half the resolution, a sequence one "
     "step shorter, or a start twice as far from the limit."),
    ("Holds, fails, undecided", "A claim holds if the whole interval lies where it is claimed to, "
     "and fails if all of it lies elsewhere. If the interval contains the margin the claim is "
     "undecided."),
    ("Cell", "One combination of values of the factors, computed on its own with a seed made of "
     "these values, so that it is the same on any machine and in any order."),
)  # fmt: skip
OF_COMPARISONS = ("Pass", "Matched priors", "MAP and Jacobian")
OF_DRAWS = ("Relabel", "MCSE")
OF_DATA = ("elpd", "WAIC", "LOO")


def setup(comparison: Comparison) -> list[tuple[str, str]]:
    """Everything needed to make the report again, as terms and descriptions."""
    data, settings = comparison.data, comparison.settings
    skipped = "; ".join(f"{name}: {why}" for name, why in comparison.skipped.items())
    found = [
        ("Data", f"{data.name}, {data_in_words(data)}"),
        ("SHA-256 of the data", digest(data.y)),
        ("Model", f"Gaussian mixture, K = {settings.components}, weights, means and scales free"),
        ("Prior", prior_in_words(comparison.prior)),
        ("Chains", f"{settings.chains} chains of {settings.tune:,} warm-up draws and "
                   f"{settings.draws:,} draws kept, from shared over-dispersed starts"),
        ("Seed", str(settings.seed)),
        ("To run it again", command(comparison)),
        ("Versions", versions(*LIBRARIES)),
    ]  # fmt: skip
    return found + ([("Does not apply", skipped)] if skipped else [])


def data_in_words(data: Data) -> str:
    """One sample: its size, range, mean and standard deviation."""
    return (
        f"n = {data.n}, from {data.y.min():.6g} to {data.y.max():.6g}, "
        f"mean {float(data.location):.6g}, standard deviation {float(data.scale):.6g}"
    )


def versions(*libraries: str) -> str:
    """Versions of the project, of libraries and of Python."""
    others = "".join(f", {name} {version(name)}" for name in libraries)
    return f"ordered_mix {__version__}{others}, Python {platform.python_version()}"


def glossary(without: Collection[str]) -> list[tuple[str, str]]:
    """The terms and their meanings, without some."""
    return [(term, text) for term, text in GLOSSARY if term not in without]


def mentioned(text: str) -> list[tuple[str, str]]:
    """The terms whose words a text uses, and their meanings."""
    return [one for one in GLOSSARY if re.search(rf"\b{re.escape(one[0])}", text, re.IGNORECASE)]


def prior_in_words(prior: Prior) -> str:
    """The reference prior as distributions with their numbers."""
    means = f"means ~ Normal({prior.location:.4g}, sd {prior.spread:.4g})"
    scale = f"{prior.scale:.4g}"
    families = {
        "inverse_gamma": f"variances ~ InverseGamma(2, {scale}²)",
        "adaptive": f"variances ~ InverseGamma(2, β), β ~ InverseGamma(1/2, ({scale}/10)²)",
        "half_normal": f"scales ~ HalfNormal({scale})",
    }
    scales = families[prior.scale_family]
    if prior.common_scale:
        scales = scales.replace("variances", "common variance").replace("scales", "common scale")
    if prior.known_sigma is not None:
        scales = f"scales known, {_listed(np.atleast_1d(prior.known_sigma))}"
    if prior.known_mu is not None:
        means = f"means known, {_listed(prior.known_mu)}"
    weights = f"weights ~ Dirichlet({prior.concentration:.4g}, …)"
    if prior.known_w is not None:
        weights = f"weights known, {_listed(prior.known_w)}"
    kind = "native to each parameterization" if prior.native else "matched between them"
    return f"{means}, {scales}, {weights}; {kind}"


def _listed(values: Iterable[float]) -> str:
    return ", ".join(f"{value:.4g}" for value in values)


def command(comparison: Comparison) -> str:
    """The command, or for a prior of the user's own the call, that makes this comparison."""
    data, settings = comparison.data, comparison.settings
    default = Settings()
    changed = {
        item.name: getattr(settings, item.name)
        for item in fields(settings)
        if item.name != "cores" and getattr(settings, item.name) != getattr(default, item.name)
    } | {"seed": settings.seed}
    if comparison.several is not None:
        changed.pop("up_to", None)
        low, high = comparison.several.range
        changed = {"components": f"{low}-{high}", **{key: value for key, value in changed.items()
                                                     if key != "components"}}  # fmt: skip
    asked = _prior_options(comparison)
    if asked is not None:
        source = data.name if data.name in shipped() else "FILE.csv:column"
        words = ["ordered-mix", "compare", source]
        for name, value in changed.items():
            words += [
                f"--{name.replace('_', '-')}",
                ",".join(value) if isinstance(value, tuple) else str(value),
            ]
        return shlex.join([*words, *asked])
    options = "".join(f", {name}={value!r}" for name, value in changed.items())
    return f"ordered_mix.compare(data, prior={comparison.prior!r}{options})"


def _prior_options(comparison: Comparison) -> list[str] | None:
    """The options that give this prior, None if only Python can."""
    data, prior = comparison.data, comparison.prior
    kind = next(kind for kind, family in KINDS.items() if family == prior.scale_family)
    default = default_prior(data, kind)
    same = {name: getattr(default, name) for name in default.numbers()}
    free = {"known_w": None, "known_mu": None, "known_sigma": None, "common_scale": False}
    if replace(prior, **same, **free) != default:
        return None
    options = ["--prior", kind] if kind != "adaptive" else []
    options += ["--scales", "common"] if prior.common_scale else []
    for name, values in Restriction.of(prior, comparison.settings.components).fixed.items():
        options += ["--fixed", f"{name}={','.join(map(repr, values))}"]
    if prior.scale != default.scale:
        options += ["--prior-scale", repr(prior.scale)]
    if prior.spread != default.spread:
        options += ["--prior-mean", f"{prior.location!r},{prior.spread!r}"]
    elif prior.location != default.location:
        options += ["--prior-mean", repr(prior.location)]
    if prior.concentration != default.concentration:
        options += ["--prior-weights", repr(prior.concentration)]
    return options
