"""Write the tables and the figure of docs/references.md from the references and their table.

python references/page.py
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable
from pathlib import Path

import matplotlib.style
import numpy as np
import pandas as pd
from matplotlib.ticker import NullFormatter

from ordered_mix.references.definition import FOLDER
from ordered_mix.references.ranking import BROKEN, cells, decides, passes, ranking
from ordered_mix.references.reference import load_reference, names
from ordered_mix.study.drawing import SHADES, legend, panels

PAGE = FOLDER.parent / "docs" / "references.md"
PICTURE = FOLDER.parent / "docs" / "pictures" / "sampler_errors.svg"
SHOWN = ("gibbs", "smc", "jags", "emcee", "random_walk", *BROKEN)
"""Drawn beside the best and the worst of NUTS in our coordinates."""
ROWS = 2


def posterior_table() -> str:
    """One row for each reference."""
    rows = [
        "| posterior | what | n | D | K | log evidence | largest error, sd | smallest p | exact |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name in names():
        found = load_reference(name)
        value, error = found.log_evidence
        largest = max(one["error"] / one["sd"] for one in found.values.values())
        exact = found.content["evidence"]["exact"]
        given = f"{value:.3f}" if exact else f"{value:.3f} ± {error:.3f}"
        one, smallest = found.definition, found.content["certificate"]["smallest_p"]
        rows.append(
            f"| `{name}` | {one.about} | {found.data.n:,} | {one.d} | {one.k} "
            f"| {given} | {largest:.3f} | {smallest:.2g} | {'yes' if exact else ''} |"
        )
    return "\n".join(rows)


def mode_table() -> str:
    """Weights of modes that are no relabelling of each other."""
    rows = ["| posterior | means above | weights |", "|---|---|---|"]
    for name in names():
        found = load_reference(name)
        weights = {key: one for key, one in found.values.items() if key.startswith("above")}
        if weights:
            said = ", ".join(
                f"{key.removeprefix('above_')}: {one['value']:.4f} ± {one['error']:.4f}"
                for key, one in weights.items()
            )
            rows.append(f"| `{name}` | {found.definition.split:g} | {said} |")
    return "\n".join(rows)


def rank_table(table: pd.DataFrame) -> str:
    """Samplers, best first."""
    found, decisive = ranking(table), decides(table)
    others = [name for name in table["budget"].unique() if name != decisive]
    rows = [f"| | sampler | {decisive} | smallest and largest run | {' | '.join(others)} "
            "| posteriors |", f"|{'---|' * (len(others) + 5)}"]  # fmt: skip
    for place, row in enumerate(found.to_dict("records"), start=1):
        beside = " | ".join(_said(row[name]) for name in others)
        rows.append(
            f"| {place} | `{row['entrant']}` | {_said(row['score'])} "
            f"| {_said(row['low'])} to {_said(row['high'])} | {beside} | {row['posteriors']} |"
        )
    return "\n".join(rows)


def error_table(table: pd.DataFrame) -> str:
    """Errors by posterior at the budget that decides, in the order of the ranking."""
    found = cells(table)
    found = found[found["budget"] == decides(table)].set_index(["entrant", "posterior"])
    posteriors = list(dict.fromkeys(table["posterior"]))
    heads = " | ".join(f"`{name}`" for name in posteriors)
    rows = [f"| sampler | {heads} |", f"|{'---|' * (len(posteriors) + 1)}"]
    for entrant in ranking(table)["entrant"]:
        given = (_interval(found, (entrant, posterior)) for posterior in posteriors)
        rows.append(f"| `{entrant}` | {' | '.join(given)} |")
    return "\n".join(rows)


def _interval(found: pd.DataFrame, key: tuple[str, str]) -> str:
    if key not in found.index:
        return ""
    one = found.loc[key]
    return f"{_said(one['error'])} ({_said(one['low'])} to {_said(one['high'])})"


def _said(error: float) -> str:
    return f"{error:.2f}" if np.isfinite(error) else "overspent"


def drawn_entrants(order: Iterable[str]) -> list[str]:
    """What the figure shows of the ranking, the broken ones last."""
    known = list(order)
    ours = [name for name in known if name.startswith("nuts(")]
    shown = [name for name in SHOWN if name in known and name not in BROKEN]
    return [*shown, *ours[:1], *ours[-1:], *(name for name in BROKEN if name in known)]


def figure(table: pd.DataFrame) -> str:
    """Error against passes, one panel for each posterior, as SVG; bars are all runs."""
    found = cells(table)
    found = found[np.isfinite(found["high"]) & (found["budget"].map(passes) > 0)]
    order, posteriors = ranking(table), list(dict.fromkeys(table["posterior"]))
    chosen = drawn_entrants(order[order["posteriors"] == len(posteriors)]["entrant"])
    columns = -(-len(posteriors) // ROWS)
    with matplotlib.style.context({"svg.hashsalt": "ordered_mix"}):
        drawn, axes = panels(ROWS, columns, (3.2 * columns, 2.9 * ROWS), sharey=True)
        for one, posterior in zip(axes.flat, posteriors, strict=False):
            own = found[found["posterior"] == posterior]
            for at, name in enumerate(chosen):
                rows = own[own["entrant"] == name]
                error = rows["error"].to_numpy()
                one.errorbar(
                    rows["budget"].map(passes) * 1.06 ** (at - len(chosen) / 2),
                    error,
                    np.abs(rows[["low", "high"]].to_numpy().T - error),
                    label=re.sub(r"\w+=|[()]", " ", name),
                    color=SHADES[at % len(SHADES)],
                    marker="osD^vPXh*<>"[at],
                    linestyle=":" if name in BROKEN else "-",
                )
            one.set(title=posterior, xlabel="passes", xscale="log", yscale="log")
            at_most = sorted({passes(name) for name in own["budget"]})
            one.set_xticks(at_most, [f"{number:,.0f}" for number in at_most])
            one.xaxis.set_minor_formatter(NullFormatter())
        for row in axes:
            row[0].set_ylabel("largest error, posterior sd")
        legend(drawn, axes, columns=3)
        text = io.StringIO()
        drawn.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()


def page(text: str, table: pd.DataFrame) -> str:
    """The page with what stands between its markers written anew."""
    for name, written in (
        ("posteriors", posterior_table()), ("modes", mode_table()), ("ranking", rank_table(table)),
        ("errors", error_table(table)),
    ):  # fmt: skip
        begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        head, _, rest = text.partition(begin)
        text = f"{head}{begin}\n\n{written}\n\n{end}{rest.partition(end)[2]}"
    return text


def main() -> None:
    """Write page and picture."""
    table = pd.read_parquet(FOLDER / "table" / "tables" / "sampler_table.parquet")
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), table), encoding="utf-8")
    PICTURE.write_text(figure(table), encoding="utf-8")
    print(f"{Path(*PAGE.parts[-2:])} and {Path(*PICTURE.parts[-3:])}")


if __name__ == "__main__":
    main()
