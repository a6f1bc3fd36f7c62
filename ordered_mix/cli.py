"""The command line: ``ordered-mix compare DATA`` and ``ordered-mix list``."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import ordered_mix

if TYPE_CHECKING:
    from ordered_mix.comparison import Comparison, Settings

SUMMARY = "summary.json"
BAD_INPUT = 2
INTERRUPTED = 130

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Gaussian mixtures in several coordinate systems: which parameterization, which "
    "estimator, and can the fit be trusted?",
    epilog="Exit status: 0 done, 2 bad input, 130 interrupted (run again to resume).",
)


def main() -> None:
    """Entry point of ``ordered-mix``: errors of the user's input end in one sentence."""
    try:
        app(standalone_mode=True)
    except ValueError as error:
        print(f"ordered-mix: {error}", file=sys.stderr)
        raise SystemExit(BAD_INPUT) from None
    except KeyboardInterrupt:
        print("ordered-mix: interrupted, run the same command to resume", file=sys.stderr)
        raise SystemExit(INTERRUPTED) from None


@app.callback()
def _options(
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
) -> None:
    if version:
        print(f"ordered-mix {ordered_mix.__version__}")
        raise typer.Exit


@app.command(
    "compare",
    epilog="Examples: ordered-mix compare faithful:waiting · ordered-mix compare my.csv:height "
    "--components 3 · ordered-mix compare galaxies --parameterizations unordered,centred",
)
def compare_command(
    data: Annotated[str, typer.Argument(help="FILE.csv:column or a shipped data set (see list).")],
    components: Annotated[int, typer.Option(help="Number of components K.")] = 2,
    parameterizations: Annotated[
        str, typer.Option(help="Names of `ordered-mix list` or .py files, with commas between.")
    ] = "unordered,ordered,relative",
    estimators: Annotated[
        str, typer.Option(help="em, map, nuts (nutpie), nuts-pymc, with commas between.")
    ] = "em,map,nuts",
    draws: Annotated[int, typer.Option(help="Draws kept per chain.")] = 1000,
    tune: Annotated[int, typer.Option(help="Warm-up draws per chain.")] = 1000,
    chains: Annotated[int, typer.Option(help="Chains, each from its own start.")] = 4,
    seed: Annotated[int, typer.Option(help="The same seed gives the same draws.")] = 1,
    cores: Annotated[int, typer.Option(help="Chains sampled at the same time.")] = 2,
    out: Annotated[
        Path | None, typer.Option(help="Output folder.", show_default="results/DATA")
    ] = None,
    force: Annotated[bool, typer.Option(help="Overwrite results that are there.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Compare parameterizations and estimators on one column of numbers.

    Prints a table and a verdict, and writes report.html, one ArviZ draws file per
    parameterization, table.parquet and table.csv. An interrupted run resumes.
    """
    from ordered_mix.comparison import Settings
    from ordered_mix.data import load

    loaded = load(data)
    settings = Settings(
        components=components,
        parameterizations=_names(parameterizations),
        estimators=_names(estimators),
        draws=draws,
        tune=tune,
        chains=chains,
        seed=seed,
        cores=cores,
    )
    summary = _compare(loaded, settings, out, force, quiet or as_json)
    if as_json:
        print(json.dumps(summary, indent=1))
    elif not quiet:
        _print_summary(summary)


@app.command(
    "diagnose",
    epilog="Example: ordered-mix diagnose posterior.nc --mu centre --sigma spread --weights share",
)
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
    force: Annotated[bool, typer.Option(help="Overwrite results that are there.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
) -> None:
    """Diagnose the draws of your own mixture model: label switching, convergence, WAIC and LOO.

    Prints verdicts and writes report.html, relabelled.nc, table.parquet and table.csv.
    """
    from ordered_mix.data import load
    from ordered_mix.diagnosis import diagnose, load_draws
    from ordered_mix.report import render
    from ordered_mix.results import ResultFolder, digest, slug

    tree = load_draws(draws)
    y = None if data is None else load(data).y
    found = diagnose(tree, mu, sigma, weights, y=y, method=method, name=draws.stem)
    given = digest(found.mixture.w, found.mixture.mu, found.mixture.sigma)
    asked = {"mu": mu, "sigma": sigma, "weights": weights, "data": data, "method": found.method}
    identity = {"draws": draws.name, "sha256": given, **asked}
    folder = ResultFolder(out or Path("results") / slug(draws.stem), identity)
    folder.open(force)
    page = render(found)
    folder.write("table.parquet", lambda path: found.table.to_parquet(path, index=False))
    folder.write("table.csv", lambda path: found.table.to_csv(path, index=False))
    folder.write_tree("relabelled.nc", found.relabelled.draws)
    folder.write("report.html", lambda path: path.write_text(page, encoding="utf-8"))
    if not quiet:
        _print_verdicts([vars(verdict) for verdict in found.verdicts], folder.path)


@app.command("list")
def list_command() -> None:
    """List the parameterizations and the shipped data sets."""
    from ordered_mix import catalog
    from ordered_mix.data import shipped

    print("Parameterizations:")
    for name in catalog.names():
        print(f"  {name:12} {catalog.summary(name)}")
    print("Data sets:")
    for name in shipped():
        print(f"  {name}")


def _names(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


def _compare(
    data: Any, settings: Settings, out: Path | None, force: bool, quiet: bool
) -> dict[str, Any]:
    from ordered_mix.compare import check, compare, identity
    from ordered_mix.results import ResultFolder, slug

    check(data, settings)
    folder = ResultFolder(out or Path("results") / slug(data.name), identity(data, settings, None))
    folder.open(force)
    if SUMMARY in folder:
        summary = json.loads((folder.path / SUMMARY).read_text())
        return summary | {"note": "these results were there already, --force computes them anew"}
    with _stages(quiet) as progress:
        result = compare(data, settings, folder=folder, progress=progress)
        progress("report")
        _write(result, folder)
    return json.loads((folder.path / SUMMARY).read_text())


def _write(result: Comparison, folder: Any) -> None:
    from ordered_mix.report import render

    folder.write("table.parquet", lambda path: result.table.to_parquet(path, index=False))
    folder.write("table.csv", lambda path: result.table.to_csv(path, index=False))
    folder.write("timings.csv", lambda path: result.timings.to_csv(path, index=False))
    page = render(result)
    folder.write("report.html", lambda path: path.write_text(page, encoding="utf-8"))
    summary = {
        "data": result.data.name,
        "n": result.data.n,
        "components": result.settings.components,
        "verdicts": [vars(verdict) for verdict in result.verdicts],
        "skipped": result.skipped,
        "table": json.loads(result.table.to_json(orient="records")),
        "folder": str(folder.path),
    }
    folder.write(SUMMARY, lambda path: path.write_text(json.dumps(summary, indent=1)))


@contextmanager
def _stages(quiet: bool) -> Iterator[Any]:
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True, quiet=quiet)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("start", total=None)

        def stage(name: str) -> None:
            progress.update(task, description=name)
            if not console.is_terminal:
                console.print(name)

        yield stage


POINT_COLUMNS = {
    "label": "point estimator",
    "log_likelihood": "log lik.",
    "passes_per_run": "passes",
    "share_at_best": "at best",
    "status": "status",
}
SAMPLER_COLUMNS = {
    "label": "sampler",
    "rhat_raw": "R-hat",
    "rhat_folded": "folded",
    "ess_folded": "ESS",
    "ess_per_1000_passes": "/1000 p.",
    "divergences": "div.",
    "elpd_waic": "WAIC",
    "elpd_loo": "LOO",
}


def _print_summary(summary: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console()
    heading = f"{summary['data']}: n = {summary['n']}, K = {summary['components']}"
    console.print(Text(heading, style="bold"))
    for sampled, columns in ((False, POINT_COLUMNS), (True, SAMPLER_COLUMNS)):
        rows = [row for row in summary["table"] if (row["status"] == "sampled") == sampled]
        if rows:
            console.print(_table(rows, columns))
    for name, reason in summary["skipped"].items():
        console.print(Text(f"Skipped {name}: {reason}"))
    _print_verdicts(summary["verdicts"], Path(summary["folder"]))
    if "note" in summary:
        console.print(Text(f"Note: {summary['note']}."))


def _table(rows: list[dict[str, Any]], columns: dict[str, str]) -> Any:
    from rich.box import SIMPLE
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE, pad_edge=False)
    for name in columns.values():
        table.add_column(name, justify="left" if name == columns["label"] else "right")
    for row in rows:
        table.add_row(*(Text(_cell(key, row[key])) for key in columns))
    return table


def _print_verdicts(verdicts: list[dict[str, str]], folder: Path) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console()
    for verdict in verdicts:
        console.print()
        console.print(Text(verdict["question"], style="bold"), Text(verdict["answer"]))
        console.print(Text(f"  {verdict['reason']}"))
    console.print(Text(f"\nReport: {folder / 'report.html'}"))


def _cell(key: str, value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    formats = {"rhat_raw": ".3f", "rhat_folded": ".3f", "share_at_best": ".0%", "divergences": ".0f"}
    formats |= {"ess_folded": ".0f", "ess_per_1000_passes": ".1f", "passes_per_run": ".0f"}
    return format(value, formats.get(key, ".2f"))


if __name__ == "__main__":
    main()
