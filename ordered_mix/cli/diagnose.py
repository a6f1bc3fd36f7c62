"""``ordered-mix diagnose DRAWS``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from ordered_mix.cli.options import Force, Json, Quiet, Verbose
from ordered_mix.cli.progress import stages
from ordered_mix.cli.text import print_verdicts

EXAMPLES = """Examples:

ordered-mix diagnose own.nc

ordered-mix diagnose own.nc --mu centre --sigma spread --weights share

ordered-mix diagnose own.nc --data my.csv:height --method ecr"""


def diagnose_command(
    draws: Annotated[Path, typer.Argument(help="netCDF or zarr file of an ArviZ DataTree.")],
    mu: Annotated[str, typer.Option(help="Variable that holds the means.")] = "mu",
    sigma: Annotated[str, typer.Option(help="Variable that holds the scales.")] = "sigma",
    weights: Annotated[
        str, typer.Option(help="Variable that holds the weights; '' for equal known ones.")
    ] = "w",
    data: Annotated[
        str | None, typer.Option(help="FILE.csv:column, if the file has no observed_data.")
    ] = None,
    method: Annotated[
        str | None, typer.Option(help="Relabelling algorithm.", show_default="stephens")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Output folder.", show_default="results/DRAWS")
    ] = None,
    force: Force = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    as_json: Json = False,
) -> None:
    """Diagnose the draws of your own mixture model: label switching, convergence, WAIC and LOO.

    Prints verdicts and writes report.html, relabelled.nc, table.parquet and table.csv.
    """
    from ordered_mix.compare.diagnosis import diagnose
    from ordered_mix.data import load
    from ordered_mix.files.reading import load_draws
    from ordered_mix.files.results import ResultFolder, digest, slug
    from ordered_mix.report import render

    with stages(quiet or as_json) as progress:
        progress("read the draws")
        tree = load_draws(draws)
        y = None if data is None else load(data).y
        progress("relabel and diagnose")
        found = diagnose(tree, mu, sigma, weights or None, y=y, method=method, name=draws.stem)
        progress("report")
        page = render(found)
        given = digest(found.mixture.w, found.mixture.mu, found.mixture.sigma)
        asked = {"mu": mu, "sigma": sigma, "weights": weights, "data": data}
        identity = {"draws": draws.name, "sha256": given, **asked, "method": found.method}
        folder = ResultFolder(out or Path("results") / slug(draws.stem), identity)
        with folder.held(force):
            folder.write("table.parquet", lambda path: found.table.to_parquet(path, index=False))
            folder.write("table.csv", lambda path: found.table.to_csv(path, index=False))
            folder.write_tree("relabelled.nc", found.relabelled.draws)
            folder.write("report.html", lambda path: path.write_text(page, encoding="utf-8"))
    verdicts = [vars(verdict) for verdict in found.verdicts]
    if as_json:
        summary = {"draws": draws.name, "verdicts": verdicts, "folder": str(folder.path)}
        print(json.dumps(summary, indent=1))
    elif not quiet:
        print_verdicts(verdicts, folder.path)
