"""Gaussian mixtures in several coordinate systems, compared: which one to trust, and why."""

from __future__ import annotations

import importlib as _importlib
import sys as _sys
import types as _types
import typing as _typing

__version__ = "0.1.0"

if _typing.TYPE_CHECKING:
    from ordered_mix.compare.compare import compare
    from ordered_mix.compare.diagnosis import diagnose
    from ordered_mix.compare.sample import sample
    from ordered_mix.data import Data, load, simulate
    from ordered_mix.distributions import ordered_normal
    from ordered_mix.draws.relabel.tree import relabel_tree as relabel
    from ordered_mix.fitted.fit import fit
    from ordered_mix.mixture import Mixture
    from ordered_mix.parameterization.catalog import parameterization
    from ordered_mix.parameterization.check import check_parameterization
    from ordered_mix.prior import Prior, default_prior
    from ordered_mix.samplers.gibbs import Gibbs
    from ordered_mix.samplers.nuts import NUTS
    from ordered_mix.samplers.pilot import Pilot
    from ordered_mix.samplers.smc import SMC
    from ordered_mix.samplers.tempering import Tempering
    from ordered_mix.stream.stream import stream

_HOMES = {
    "Data": "data.data.Data",
    "Gibbs": "samplers.gibbs.Gibbs",
    "Mixture": "mixture.Mixture",
    "NUTS": "samplers.nuts.NUTS",
    "Pilot": "samplers.pilot.Pilot",
    "Prior": "prior.Prior",
    "SMC": "samplers.smc.SMC",
    "Tempering": "samplers.tempering.Tempering",
    "check_parameterization": "parameterization.check.check_parameterization",
    "compare": "compare.compare.compare",
    "default_prior": "prior.default_prior",
    "diagnose": "compare.diagnosis.diagnose",
    "fit": "fitted.fit.fit",
    "load": "data.loading.load",
    "ordered_normal": "distributions.ordered_normal",
    "parameterization": "parameterization.catalog.parameterization",
    "relabel": "draws.relabel.tree.relabel_tree",
    "sample": "compare.sample.sample",
    "simulate": "data.simulated.simulate",
    "stream": "stream.stream.stream",
}

__all__ = [
    "NUTS",
    "SMC",
    "Data",
    "Gibbs",
    "Mixture",
    "Pilot",
    "Prior",
    "Tempering",
    "check_parameterization",
    "compare",
    "default_prior",
    "diagnose",
    "fit",
    "load",
    "ordered_normal",
    "parameterization",
    "relabel",
    "sample",
    "simulate",
    "stream",
]


def __getattr__(name: str) -> _typing.Any:
    # PyMC takes seconds to import: the command line's help and errors should not wait for it
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home, _, called = _HOMES[name].rpartition(".")
    return getattr(_importlib.import_module(f"{__name__}.{home}"), called)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]


class _Package(_types.ModuleType):
    """Keeps `compare` and `parameterization` functions once the modules so named are imported."""

    def __setattr__(self, name: str, value: _typing.Any) -> None:
        if not (name in _HOMES and isinstance(value, _types.ModuleType)):
            super().__setattr__(name, value)


_sys.modules[__name__].__class__ = _Package
