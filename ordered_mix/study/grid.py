"""Factors to cells: accepted values, the union of grids, and seeds no other cell changes."""

from __future__ import annotations

import difflib
import hashlib
import itertools
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

Value = str | int | float | bool | None
Factors = dict[str, Value]
Grid = Mapping[str, Sequence[Value]]


class Cell(NamedTuple):
    """One combination of factor values.

    Parameters
    ----------
    key : str
        32 hexadecimal digits that identify study, factor names and values; the name of its file.
    seed : int
        From 0 to 2^63 - 1, made of the same.
    factors : dict
        Value of each factor.
    structure : tuple
        The experiment, and values of the factors that decide which compiled model the cell needs.
    experiment : str
        Name of the experiment.
    """

    key: str
    seed: int
    factors: Factors
    structure: tuple[Value, ...] = ()
    experiment: str = ""


def seed_of(name: str, **factors: Value) -> int:
    """A seed made of a name and factor values, from 0 to 2^63 - 1.

    A cell that must share its data with other cells calls this with the factors they share, for
    instance ``seed_of("data", n=n, replicate=replicate)``.

    Parameters
    ----------
    name : str
        What the seed is for.
    **factors
        Values; their order does not matter.
    """
    return int.from_bytes(_digest(name, factors)[:8]) >> 1


def known_values(name: str, values: Iterable[Any]) -> tuple[Value, ...]:
    """The values of a factor as plain scalars; integers become floats beside floats.

    Raises
    ------
    ValueError
        If there are none, or one is not a finite number, a string, a bool or None.
    """
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise ValueError(f"factor {name!r} must have a sequence of values, got {values!r}")
    plain = [_plain(name, value) for value in values]
    if not plain:
        raise ValueError(f"factor {name!r} must have at least one value, got none")
    if any(isinstance(value, float) for value in plain):
        plain = [float(value) if type(value) is int else value for value in plain]
    return tuple(dict(((type(value), value), value) for value in plain).values())


def accept(name: str, values: Iterable[Any], known: Sequence[Value]) -> tuple[Value, ...]:
    """Values given for a factor: known ones, or further numbers where the known ones are numbers.

    Raises
    ------
    ValueError
        If there are none, or one is not accepted.
    """
    given = known_values(name, values)
    found = accepted(given, known)
    if len(found) < len(given):
        left = next(value for value in given if not accepted([value], known))
        raise ValueError(_refusal(name, left, known, {type(value) for value in known}))
    return found


def accepted(values: Iterable[Value], known: Sequence[Value]) -> tuple[Value, ...]:
    """Those of the values that are known, or numbers where the known ones are numbers."""
    kinds = {type(value) for value in known}
    named = {(type(value), value) for value in known}
    found = []
    for value in values:
        if type(value) is int and float in kinds:
            value = float(value)
        number = type(value) in kinds and type(value) in (int, float)
        if number or (type(value), value) in named:
            found.append(value)
    return tuple(found)


def make_cells(
    name: str,
    factors: Mapping[str, Sequence[Value]],
    blocks: Iterable[Grid],
    structure: Sequence[str] = (),
    experiment: str = "",
) -> list[Cell]:
    """Cells of a union of grids, each once, in the order of the first grid that has them.

    Parameters
    ----------
    name : str
        What keys and seeds are made of beside the factors.
    factors : mapping
        Every factor with all its values, in the order of nesting, the last one fastest.
    blocks : iterable of mapping
        Grids; a factor that a grid does not name takes all its values.
    structure : sequence of str
        Factors that decide which compiled model a cell needs.
    experiment : str
        Name of the experiment.
    """
    found: dict[str, Cell] = {}
    for block in blocks:
        for values in itertools.product(*(block.get(one, factors[one]) for one in factors)):
            chosen = dict(zip(factors, values, strict=True))
            digest = _digest(name, chosen)
            cell = Cell(
                key=digest.hex()[:32],
                seed=int.from_bytes(digest[:8]) >> 1,
                factors=chosen,
                structure=(experiment, *(chosen[one] for one in structure)),
                experiment=experiment,
            )
            found.setdefault(cell.key, cell)
    return list(found.values())


def check_factor(name: str, factors: Iterable[str]) -> None:
    """Raise a ValueError with the near match if a factor of this name does not exist."""
    if name in factors:
        return
    near = difflib.get_close_matches(name, list(factors), n=1, cutoff=0.5)
    hint = f", did you mean {near[0]!r}" if near else ""
    raise ValueError(f"factor must be one of {', '.join(factors)}, got {name!r}{hint}")


def parse_settings(settings: Iterable[str], factors: Mapping[str, Sequence[Value]]) -> Grid:
    """Read ``factor=value,value`` as written on a command line; a known value may hold commas.

    Raises
    ------
    ValueError
        If a setting has another form, or its factor or one of its values is not accepted.
    """
    found: dict[str, tuple[Value, ...]] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals or not text:
            raise ValueError(f"a setting must be written factor=value,value, got {setting!r}")
        check_factor(name, factors)
        alone = any(str(value) == text for value in factors[name])
        words = [
            _read(word.strip(), factors[name]) for word in ([text] if alone else text.split(","))
        ]
        found[name] = accept(name, words, factors[name])
    return found


def _read(word: str, known: Sequence[Value]) -> Value:
    if any(str(value) == word for value in known):
        return next(value for value in known if str(value) == word)
    for kind in (int, float):
        try:
            return kind(word)
        except ValueError:
            pass
    return word


def _refusal(name: str, value: Value, known: Sequence[Value], kinds: set[type]) -> str:
    accepted = [str(item) for item in known]
    kind = "whole numbers such as" if int in kinds and isinstance(value, float) else "one of"
    near = difflib.get_close_matches(str(value), accepted, n=1, cutoff=0.5)
    hint = f", did you mean {near[0]!r}" if near and isinstance(value, str) else ""
    return f"factor {name!r} must be {kind} {', '.join(accepted)}, got {value!r}{hint}"


def _plain(name: str, value: Any) -> Value:
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, float) and math.isfinite(value):
        return value + 0.0  # one zero, not two
    if value is None or isinstance(value, bool | int | str):
        return value
    raise ValueError(
        f"factor {name!r} must have finite numbers, strings, bools or None, got {value!r}"
    )


def _digest(name: str, factors: Mapping[str, Value]) -> bytes:
    # 1 and 1.0 are one value: a fractional value added beside whole ones changes no other cell
    values = sorted((factor, _whole(value)) for factor, value in factors.items())
    text = json.dumps([name, values], allow_nan=False)
    return hashlib.sha256(text.encode()).digest()


def _whole(value: Value) -> Value:
    return int(value) if isinstance(value, float) and value.is_integer() else value
