"""What the shell offers behind a word: names that the commands take."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from glob import escape, glob

SIZES = ("smoke", "laptop", "cluster")
SCALES = ("free", "common")


def data(incomplete: str) -> list[str]:
    """Shipped data sets and files."""
    from ordered_mix.data import shipped

    return _beginning(shipped(), incomplete) + sorted(glob(f"{escape(incomplete)}*"))


def study(incomplete: str) -> list[str]:
    """Studies and files."""
    from ordered_mix.parameterization import catalog

    files = sorted(glob(f"{escape(incomplete)}*.py"))
    return _beginning(catalog.names("study"), incomplete) + files


def parameterizations(incomplete: str) -> list[str]:
    """Parameterizations, behind those that are there already."""
    from ordered_mix.parameterization import catalog

    return _last(catalog.names(), incomplete)


def estimators(incomplete: str) -> list[str]:
    """Point estimators and samplers, behind those that are there already."""
    from ordered_mix.fitted.options import ESTIMATORS

    return _last(ESTIMATORS, incomplete)


def prior(incomplete: str) -> list[str]:
    """Kinds of the prior."""
    from ordered_mix.prior import KINDS

    return _beginning(KINDS, incomplete)


def one_of(names: Iterable[str]) -> Callable[[str], list[str]]:
    """One of a few names."""

    def complete(incomplete: str) -> list[str]:
        return _beginning(names, incomplete)

    return complete


def _beginning(names: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]


def _last(names: Iterable[str], incomplete: str) -> list[str]:
    before, comma, part = incomplete.rpartition(",")
    given = before.split(",")
    return [f"{before}{comma}{name}" for name in _beginning(names, part) if name not in given]
