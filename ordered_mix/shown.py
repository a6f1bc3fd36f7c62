"""How results show themselves in a notebook: the one door from them up to the report."""

from __future__ import annotations

from typing import Any


def html(result: Any) -> str:
    """What a notebook shows of a result: a class takes it as its `_repr_html_`.

    Parameters
    ----------
    result
        Whatever `ordered_mix.report.notebook` knows.

    Returns
    -------
    str
        HTML.
    """
    from ordered_mix.report import notebook

    return notebook(result)
