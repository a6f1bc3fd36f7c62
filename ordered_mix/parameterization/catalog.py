"""Names to modules: a folder is the registry of what it holds."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import pkgutil
import re
import sys
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, overload

if TYPE_CHECKING:
    from ordered_mix.multivariate import MultivariatePrior
    from ordered_mix.parameterization.multivariate import MultivariateParameterization
    from ordered_mix.parameterization.parameterization import Parameterization
    from ordered_mix.prior import Prior

PACKAGES = {
    "parameterization": "ordered_mix.models",
    "estimator": "ordered_mix.estimators",
    "sampler": "ordered_mix.samplers",
    "entrant": "ordered_mix.references.entrants",
    "study": "ordered_mix.studies",
}


def names(kind: str = "parameterization") -> list[str]:
    """Sorted names of what is found: ``kind`` is a key of `PACKAGES`."""
    package = importlib.import_module(PACKAGES[kind])
    found = (info.name for info in pkgutil.iter_modules(package.__path__) if not info.ispkg)
    return sorted(name for name in found if not name.startswith("_"))


def module(name: str, kind: str = "parameterization") -> ModuleType:
    """Import one by its name, or from a file the user names (``path/to/mine.py``).

    Raises
    ------
    ValueError
        If there is no such name or file; the message has the near match.
    """
    if name in names(kind):
        return importlib.import_module(f"{PACKAGES[kind]}.{name}")
    if name.endswith(".py"):
        return _from_file(Path(name), kind)
    near = difflib.get_close_matches(name, names(kind), n=1, cutoff=0.5)
    hint = f", did you mean {near[0]!r}" if near else ""
    known = ", ".join(names(kind))
    raise ValueError(f"{kind} must be one of {known}, or a .py file, got {name!r}{hint}")


def summary(name: str, kind: str = "parameterization") -> str:
    """First line of the docstring of one."""
    return (module(name, kind).__doc__ or "").strip().partition("\n")[0]


def split(label: str) -> tuple[str, dict[str, Any]]:
    """Name and options of a label like ``relative(link=square, clearance=0.1)``.

    Raises
    ------
    ValueError
        If what stands in the brackets is not options with their values.
    """
    found = re.fullmatch(r"([^()]+)\(([^()]*)\)", label)
    if not found:
        return label, {}
    pairs = [re.fullmatch(r"\s*(\w+)\s*=\s*(\S+)\s*", part) for part in found[2].split(",")]
    if None in pairs:
        raise ValueError(
            f"options of a parameterization must be given as name(option=value), got {label!r}"
        )
    return found[1], {pair[1]: _value(pair[2]) for pair in pairs if pair}


def _value(text: str) -> Any:
    if text in ("True", "False"):
        return text == "True"
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    return text


@overload
def parameterization(
    name: str, k: int, prior: Prior | None = None, **options: Any
) -> Parameterization: ...


@overload
def parameterization(
    name: str, k: int, prior: MultivariatePrior, **options: Any
) -> MultivariateParameterization: ...


def parameterization(
    name: str, k: int, prior: Prior | MultivariatePrior | None = None, **options: Any
) -> Parameterization | MultivariateParameterization:
    """The parameterization of this name for k components.

    Parameters
    ----------
    name : str
        A name that `names` lists, or the path of a model file of your own; options may stand in
        brackets behind it, as in a label: ``relative(link=square)``.
    k : int
        Number of components.
    prior : Prior or MultivariatePrior, optional
        The reference prior of one dimension by default.
    **options
        Further options of the model file, e.g. ``link="square"``; in several dimensions also
        ``axis``, the coordinate, from 0, or the direction along which the file orders the means.

    Raises
    ------
    ValueError
        If there is no such name or option, or it does not apply to this k or prior.
    """
    # PyMC takes seconds to import: studies that do without it should not wait
    from ordered_mix.multivariate import MultivariatePrior
    from ordered_mix.parameterization.parameterization import Parameterization
    from ordered_mix.prior import Prior

    name, given = split(name)
    found, stem = module(name), Path(name).stem
    given = {**given, **options}
    if isinstance(prior, MultivariatePrior):
        from ordered_mix.parameterization.multivariate import MultivariateParameterization

        axis = given.pop("axis", 0)
        return MultivariateParameterization(stem, found, k, prior, given, axis)
    return Parameterization(stem, found, k, prior or Prior(), given)


def estimator(label: str, **options: Any) -> Any:
    """The estimator of this name, or from a file of your own.

    Parameters
    ----------
    label : str
        A name that ``names("estimator")`` lists, or the path of a file that defines one frozen
        dataclass with `fit`; options may stand in brackets behind it: ``gradient(step=0.1)``.
    **options
        Further fields of the dataclass.

    Raises
    ------
    ValueError
        If there is no such name or field, or a value is none of those accepted.
    """
    name, given = split(label)
    found = module(name, "estimator")
    own = [one for one in vars(found).values() if isinstance(one, type) and hasattr(one, "fit")]
    kinds = [one for one in own if one.__module__ == found.__name__ and is_dataclass(one)]
    if len(kinds) != 1:
        raise ValueError(f"estimator file {name!r} must define one dataclass with fit")
    accepted = [one.name for one in fields(kinds[0])]
    unknown = sorted({**given, **options}.keys() - set(accepted))
    if unknown:
        raise ValueError(
            f"options of {name} must be among {', '.join(accepted)}, got {', '.join(unknown)}"
        )
    return kinds[0](**{**given, **options})


def _from_file(path: Path, kind: str) -> ModuleType:
    if not path.is_file():
        raise ValueError(f"{kind} file {str(path)!r} does not exist")
    spec = importlib.util.spec_from_file_location(f"ordered_mix_user_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = found  # where its dataclasses look for their module
    try:
        spec.loader.exec_module(found)
    except Exception as error:
        raise ValueError(f"{kind} file {str(path)!r} cannot be run: {error}") from error
    return found
