"""Options that several commands share."""

from __future__ import annotations

import logging
import re
from difflib import get_close_matches
from math import inf, isfinite
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ordered_mix.cli import complete

if TYPE_CHECKING:
    from ordered_mix.data import Data
    from ordered_mix.prior import Prior
    from ordered_mix.stream.stream import Stream

log = logging.getLogger("ordered_mix")


def names_between_commas(text: str) -> tuple[str, ...]:
    """Parts between commas, those in brackets apart, each once."""
    parts = re.split(r",(?![^()]*\))", text)
    return tuple(dict.fromkeys(name.strip() for name in parts if name.strip()))


def _tell(asked: bool) -> bool:
    if asked:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
        log.addHandler(handler)
        log.setLevel(logging.INFO)
    return asked


Force = Annotated[bool, typer.Option("--force", help="Overwrite results that are there.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")]
Verbose = Annotated[
    bool,
    typer.Option(
        "--verbose",
        "-v",
        help="Say on standard error what is done and when; an error has its traceback.",
        callback=_tell,
    ),
]
Separator = Annotated[
    str, typer.Option(help="What stands between the cells of a text file; tab for tabs.")
]
DecimalComma = Annotated[
    bool, typer.Option("--decimal-comma", help="Decimals stand behind a comma, cells behind ;.")
]
DropMissing = Annotated[
    bool, typer.Option("--drop-missing", help="Leave out rows whose cell is empty or NA.")
]
Where = Annotated[
    str, typer.Option(help="Keep rows with COLUMN=VALUE, or with !=, <, <=, > or >=.")
]
PriorKind = Annotated[
    str,
    typer.Option(
        "--prior",
        autocompletion=complete.prior,
        help="adaptive: components may be far narrower than the data; fixed: scales near half "
        "the data's standard deviation; half-normal.",
    ),
]
PriorScale = Annotated[
    float | None,
    typer.Option(
        help="Scale of the prior of the standard deviations: their typical size (fixed, "
        "half-normal) or the spread of the data (adaptive).",
        show_default="from the data",
    ),
]
PriorMean = Annotated[
    str | None,
    typer.Option(
        help="MEAN or MEAN,SD of the normal prior of each component's mean.",
        show_default="mean and 2 sd of the data",
    ),
]
PriorWeights = Annotated[
    float, typer.Option(help="Concentration of the Dirichlet prior of the weights.")
]


def _components(text: str) -> str:
    """What --components was given, refused where it is no number, range or auto."""
    from ordered_mix.fitted.fit import component_range
    from ordered_mix.fitted.options import check_range

    if text.removeprefix("-").isdecimal():
        check_range("components", int(text))
        return text
    try:
        component_range(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    return text


Components = Annotated[
    str,
    typer.Option("--components", "-k", help="K, a range like 1-6, or auto.", callback=_components),
]
Scales = Annotated[
    str,
    typer.Option(
        help="free, or common: one standard deviation for all components.",
        autocompletion=complete.one_of(complete.SCALES),
    ),
]
Fixed = Annotated[
    list[str] | None,
    typer.Option(help="Known values, one for each component, as w=0.3,0.7 or mu=0,5 or sigma=2,2."),
]
Errors = Annotated[
    str | None,
    typer.Option(help="Column of measurement errors. Refused, with what serves.", hidden=True),
]
Bound = Annotated[
    float | None,
    typer.Option(
        help="Bound that the data are truncated at. Refused, with what serves.", hidden=True
    ),
]


def known_values(fixed: list[str] | None) -> dict[str, list[float]]:
    """Values of components by parameter, of options like ``w=0.3,0.7``.

    Raises
    ------
    ValueError
        If one is no name with numbers behind.
    """
    found = {}
    for text in fixed or []:
        name, _, values = text.partition("=")
        try:
            found[name.strip()] = [float(value) for value in values.split(",")]
        except ValueError:
            raise ValueError(f"--fixed must be NAME=NUMBER,NUMBER,..., got {text!r}") from None
    return found


def refuse_other_likelihoods(errors: str | None, lower: float | None, upper: float | None) -> None:
    """Raise a ValueError if the data are said to have errors of their own, or to be truncated."""
    instead = "write it in PyMC (see Limits in the documentation) and diagnose its draws"
    if errors is not None:
        raise ValueError(
            f"--errors {errors} is not fitted, as all points of a component have one variance "
            f"here: {instead}"
        )
    for option, value in (("--lower", lower), ("--upper", upper)):
        if value is not None:
            raise ValueError(
                f"{option} {value:g} is not fitted, as the density here has no bounds to be "
                f"normalised between: {instead}"
            )


def loaded(data: str, separator: str, decimal_comma: bool, drop_missing: bool, where: str) -> Data:
    """The column that the options ask for.

    Raises
    ------
    ValueError
        If it cannot be read as asked; the message says why.
    """
    from ordered_mix.data import load

    return load(data, **reading(separator, decimal_comma, drop_missing, where))


def reading(separator: str, decimal_comma: bool, drop_missing: bool, where: str) -> dict[str, Any]:
    """How a file is read, as `data.load` takes it.

    Raises
    ------
    ValueError
        If the separator is none that is known.
    """
    from ordered_mix.files.columns import NAMES

    between = {"tab": "\t", "\\t": "\t"}.get(separator, separator)
    if between not in NAMES:
        raise ValueError(f"--separator must be one of ',', ';' and tab, got {separator!r}")
    return {
        "separator": between, "decimal_comma": decimal_comma, "drop_missing": drop_missing,
        "where": where,
    }  # fmt: skip


def chosen_prior(
    data: Data | Stream, kind: str, scale: float | None, mean: str | None, weights: float
) -> Prior:
    """The prior that the options ask for.

    Raises
    ------
    ValueError
        If a value is wrong; the message has the option as it is spelled.
    """
    from ordered_mix.data import Data
    from ordered_mix.prior import KINDS, default_prior

    if kind not in KINDS:
        near = get_close_matches(kind, KINDS, n=1, cutoff=0.4)
        hint = f", did you mean {near[0]!r}" if near else ""
        raise ValueError(f"--prior must be one of {', '.join(KINDS)}, got {kind!r}{hint}")
    if not isinstance(data, Data):
        from ordered_mix.stream.binned import binned

        data = binned(data).data
    for option, value in (("--prior-scale", scale), ("--prior-weights", weights)):
        if value is not None and not 0 < value < inf:
            raise ValueError(f"{option} must be positive and finite, got {value}")
    location, spread = _mean_and_sd(mean) if mean is not None else (None, None)
    return default_prior(
        data, kind, scale=scale, location=location, spread=spread, concentration=weights
    )


def _mean_and_sd(text: str) -> tuple[float, float | None]:
    first, comma, second = text.partition(",")
    try:
        location, spread = float(first), float(second) if comma else None
        accepted = isfinite(location) and (spread is None or 0 < spread < inf)
    except ValueError:
        accepted = False
    if not accepted:
        raise ValueError(
            "--prior-mean must be a number, or two with a comma between of which the second is "
            f"positive, got {text!r}"
        )
    return location, spread
