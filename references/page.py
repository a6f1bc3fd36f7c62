"""Write the tables and the figure of docs/references.md from the references and their table.

python references/page.py
"""

from __future__ import annotations

import io
import re
from pathlib import Path

import matplotlib.style
import numpy as np
import pandas as pd

from ordered_mix.references.definition import FOLDER
from ordered_mix.references.ranking import BROKEN, cells, ranking
from ordered_mix.references.reference import load_reference, names
from ordered_mix.study.drawing import SHADES, legend, panels

PAGE = FOLDER.parent / "docs" / "references.md"
PICTURE = FOLDER.parent / "docs" / "pictures" / "sampler_errors.svg"
PASSES = re.compile(r"(\d+) passes")
SHOWN = ("gibbs", "smc", "tempering", "jags", "emcee", "nutpie", *BROKEN)
"""Drawn beside the best and the worst of NUTS in our coordinates."""


def posterior_table() -> str:
    """One row for each reference."""
    rows = ["| posterior | what | n | K | log evidence | largest error, sd | smallest p | exact |",
            "|---|---|---|---|---|---|---|---|"]  # fmt: skip
    for name in names():
        found = load_reference(name)
        value, error = found.log_evidence
        largest = max(one["error"] / one["sd"] for one in found.values.values())
        exact = found.content["evidence"]["exact"]
        given = f"{value:.3f}" if exact else f"{value:.3f} ± {error:.3f}"
        rows.append(
            f"| `{name}` | {found.definition.about} | {found.data.n:,} | {found.definition.k} "
            f"| {given} | {largest:.3f} | {found.content['certificate']['smallest_p']:.2g} "
            f"| {'yes' if exact else ''} |"
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
    found = ranking(table)
    budgets = [name for name in found if name not in ("entrant", "rank", "posteriors")]
    rows = [f"| | sampler | {' | '.join(budgets)} | mean | posteriors |",
            f"|{'---|' * (len(budgets) + 4)}"]  # fmt: skip
    for place, row in enumerate(found.to_dict("records"), start=1):
        ranks = " | ".join(f"{row[name]:.2f}" for name in budgets)
        rows.append(
            f"| {place} | `{row['entrant']}` | {ranks} | {row['rank']:.2f} | {row['posteriors']} |"
        )
    return "\n".join(rows)


def figure(table: pd.DataFrame) -> str:
    """Error against passes, one panel for each posterior, as SVG."""
    found = cells(table)
    found = found[found["takes"] & np.isfinite(found["rms"])]
    order, posteriors = ranking(table), list(dict.fromkeys(table["posterior"]))
    order = order[order["posteriors"] == len(posteriors)]["entrant"]
    ours = [name for name in order if name.startswith("nuts(")]
    chosen = [*SHOWN[:-2], *ours[:1], *ours[-1:], *SHOWN[-2:]]
    with matplotlib.style.context({"svg.hashsalt": "ordered_mix"}):
        drawn, axes = panels(1, len(posteriors), (3.0 * len(posteriors), 3.6), sharey=True)
        for one, posterior in zip(axes[0], posteriors, strict=True):
            own = found[found["posterior"] == posterior]
            for at, name in enumerate(chosen):
                rows = own[(own["entrant"] == name) & own["budget"].str.match(PASSES)]
                passes = rows["budget"].str.extract(PASSES, expand=False).astype(float)
                one.plot(
                    passes,
                    rows["rms"],
                    label=re.sub(r"\w+=|[()]", " ", name),
                    color=SHADES[at % len(SHADES)],
                    marker="osD^vPXh*<>"[at],
                    linestyle=":" if name in BROKEN else "-",
                )
            one.set(title=posterior, xlabel="passes", xscale="log", yscale="log")
        axes[0, 0].set_ylabel("error, posterior sd")
        legend(drawn, axes, columns=3)
        text = io.StringIO()
        drawn.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()


def page(text: str, table: pd.DataFrame) -> str:
    """The page with what stands between its markers written anew."""
    for name, written in (
        ("posteriors", posterior_table()), ("modes", mode_table()), ("ranking", rank_table(table)),
    ):  # fmt: skip
        begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        head, _, rest = text.partition(begin)
        text = f"{head}{begin}\n\n{written}\n\n{end}{rest.partition(end)[2]}"
    return text


def main() -> None:
    """Write page and picture."""
    table = pd.read_parquet(FOLDER / "table" / "table.parquet")
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), table), encoding="utf-8")
    PICTURE.write_text(figure(table), encoding="utf-8")
    print(f"{Path(*PAGE.parts[-2:])} and {Path(*PICTURE.parts[-3:])}")


if __name__ == "__main__":
    main()
