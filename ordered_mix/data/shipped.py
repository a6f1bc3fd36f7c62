"""Data sets that come with the package."""

from __future__ import annotations

from importlib import resources


def shipped() -> list[str]:
    """Names of the data sets that come with the package."""
    names = []
    for path in sorted(folder().iterdir(), key=lambda item: item.name):
        if path.name.endswith(".csv"):
            header = path.read_text("utf-8").splitlines()[0].split(",")
            stem = path.name.removesuffix(".csv")
            names += [stem] if len(header) == 1 else [f"{stem}:{column}" for column in header]
    return names


def shipped_points() -> list[str]:
    """Names of the data sets of several columns that come with the package."""
    names = (path.name.removesuffix(".csv") for path in (folder() / "points").iterdir())
    return ["faithful", *sorted(names)]


def text_of_points(stem: str) -> str:
    """The file of a data set of several columns."""
    home = folder() if stem == "faithful" else folder() / "points"
    return (home / f"{stem}.csv").read_text("utf-8")


def folder() -> resources.abc.Traversable:
    """Where they lie."""
    return resources.files("ordered_mix.datasets")
