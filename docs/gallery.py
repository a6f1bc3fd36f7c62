"""How the gallery looks at scripts: figures that pyplot does not know, and what comes first."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from sphinx_gallery.scrapers import figure_rst

FIRST = ("my_column", "choosing_components", "reading_the_report", "fit_a_column")
SEEN = "_figures_that_are_shown"


def figures(block: Any, variables: dict[str, Any], settings: Mapping[str, Any]) -> str:
    """Save each figure that a script gave a name to, once, and show it.

    Results return figures that are not pyplot's, which the scraper of matplotlib does not see.
    """
    names = variables["example_globals"]
    seen, saved = names.setdefault(SEEN, []), []
    for figure in [one for one in names.values() if isinstance(one, Figure)]:
        if hasattr(figure, "number") or figure in seen:  # pyplot numbers its own
            continue
        seen.append(figure)
        path = next(variables["image_path_iterator"])
        figure.savefig(path, dpi=100)
        saved.append(path)
    return figure_rst(saved, settings["src_dir"]) if saved else ""


def order(name: str) -> tuple[int, str]:
    """What a reader needs first, then by name."""
    stem = Path(name).stem
    return (FIRST.index(stem) if stem in FIRST else len(FIRST), stem)
