"""``ordered-mix diagnose DRAWS``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ordered_mix.cli.options import Force, Json, Quiet, Verbose
from ordered_mix.cli.progress import stages
from ordered_mix.cli.text import print_verdicts

if TYPE_CHECKING:
    import pandas as pd

EXAMPLES = """Examples:

ordered-mix diagnose own.nc

ordered-mix diagnose own.nc --mu centre --sigma spread --weights share

ordered-mix diagnose own.nc --data my.csv:height --method ecr

ordered-mix diagnose own.nc --mu mu_0,mu_1 --sigma 1.0 --weights 0.5,0.5

ordered-mix diagnose own.nc --mu centre --tau precision --allocations z --dims from,to

ordered-mix diagnose own.nc --parameters rate --responsibilities p"""


def diagnose_command(
    draws: Annotated[Path, typer.Argument(help="netCDF or zarr file of an ArviZ DataTree.")],
    mu: Annotated[
        str, typer.Option(help="Variable that holds the means, or one for each component.")
    ] = "mu",
    sigma: Annotated[
        str, typer.Option(help="Variable that holds the scales, or a known number.")
    ] = "sigma",
    weights: Annotated[
        str,
        typer.Option(help="Variable that holds the weights, known numbers, or '' for equal ones."),
    ] = "w",
    tau: Annotated[str | None, typer.Option(help="Precisions, in place of sigma.")] = None,
    chol: Annotated[
        str | None, typer.Option(help="Cholesky factors of covariances, in place of sigma.")
    ] = None,
    parameters: Annotated[
        str | None, typer.Option(help="Component parameters of any family, with commas between.")
    ] = None,
    dims: Annotated[
        str | None, typer.Option(help="Further component dimensions, with commas between.")
    ] = None,
    allocations: Annotated[
        str | None, typer.Option(help="Variables whose values are components.")
    ] = None,
    responsibilities: Annotated[
        str | None, typer.Option(help="Variable with the probability of each component.")
    ] = None,
    log_likelihood: Annotated[
        str | None, typer.Option(help="Variable with the log density under each component.")
    ] = None,
    order: Annotated[
        str | None, typer.Option(help="Parameter that ascends with the label.")
    ] = None,
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
    """Diagnose and relabel the draws of your own mixture model, of any family.

    Nothing is guessed from the size of a dimension: what is named here is permuted, and what
    shares its dimensions. Prints verdicts and writes report.html, relabelled.nc, table.parquet and
    table.csv.
    """
    from ordered_mix.compare.diagnosis import diagnose
    from ordered_mix.data import load
    from ordered_mix.files.reading import load_draws
    from ordered_mix.files.results import ResultFolder, slug
    from ordered_mix.report import render
    from ordered_mix.report.of_diagnosis import sha256_of

    with stages(quiet or as_json) as progress:
        progress("read the draws")
        tree = load_draws(draws)
        y = None if data is None else load(data).y
        progress("relabel and diagnose")
        lists = {"parameters": parameters, "dims": dims, "allocations": allocations}
        named: dict[str, Any] = {
            name: value.split(",") for name, value in lists.items() if value is not None
        }
        single = {"tau": tau, "chol": chol, "responsibilities": responsibilities,
                  "log_likelihood": log_likelihood, "order": order}  # fmt: skip
        named |= {name: value for name, value in single.items() if value is not None}
        found = diagnose(
            tree, mu, sigma, weights or None, y=y, method=method, name=draws.stem, **named
        )
        progress("report")
        page = render(found)
        asked = {"mu": mu, "sigma": sigma, "weights": weights, "data": data, **named}
        given = sha256_of(found)
        identity = {"draws": draws.name, "sha256": given, **asked, "method": found.method}
        folder = ResultFolder(out or Path("results") / slug(draws.stem), identity)
        with folder.locked(force):
            folder.write("table.parquet", lambda path: found.table.to_parquet(path, index=False))
            folder.write("table.csv", lambda path: _plain(found.table).to_csv(path, index=False))
            folder.write_tree("relabelled.nc", found.relabelled.draws)
            folder.write("report.html", lambda path: path.write_text(page, encoding="utf-8"))
    verdicts = [vars(verdict) for verdict in found.verdicts]
    if as_json:
        summary = {"draws": draws.name, "verdicts": verdicts, "folder": str(folder.path)}
        print(json.dumps(summary, indent=1))
    elif not quiet:
        print_verdicts(verdicts, folder.path)


def _plain(table: pd.DataFrame) -> pd.DataFrame:
    """A table whose names no spreadsheet takes for formulas."""
    changed = table.copy()
    changed["quantity"] = changed["quantity"].str.replace(r"^([=+\-@\t\r])", r"'\1", regex=True)
    return changed
