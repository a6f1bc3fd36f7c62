"""``ordered-mix fit DATA``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ordered_mix.cli import complete
from ordered_mix.cli.options import (
    Bound,
    Components,
    DecimalComma,
    DropMissing,
    Errors,
    Fixed,
    Force,
    Json,
    PriorKind,
    PriorMean,
    PriorScale,
    PriorWeights,
    Quiet,
    Scales,
    Separator,
    Verbose,
    Where,
    chosen_prior,
    known_values,
    log,
    names_between_commas,
    reading,
    refuse_other_likelihoods,
)
from ordered_mix.cli.several import fit_several, print_several, refuse_for_one_column
from ordered_mix.cli.summary import SUMMARY, made_once
from ordered_mix.cli.text import print_fit

if TYPE_CHECKING:
    from ordered_mix.data import Data
    from ordered_mix.files.results import ResultFolder
    from ordered_mix.fitted.fitted import Fitted
    from ordered_mix.fitted.streamed import FittedStream
    from ordered_mix.stream.stream import Stream

EXAMPLES = """Examples:

ordered-mix fit faithful:waiting

ordered-mix fit my.csv:height --components 1-6

ordered-mix fit my.csv:height --components auto --estimators em

ordered-mix fit my.csv:height,weight --components 3

ordered-mix fit folder/:x --dask tcp://localhost:8786"""


def fit_command(
    data: Annotated[
        str,
        typer.Argument(
            help="FILE:column (csv, tsv, gz, parquet, xlsx), FOLDER/:column, - for standard input, "
            "or a shipped data set (see list). Large files are streamed.",
            autocompletion=complete.data,
        ),
    ],
    components: Components = "2",
    estimators: Annotated[
        str,
        typer.Option(
            help="em, map, nuts (nutpie), nuts-pymc, with commas between.",
            autocompletion=complete.estimators,
        ),
    ] = "em,map,nuts",
    parameterization: Annotated[
        str,
        typer.Option(
            help="Coordinates to sample in (see list).", autocompletion=complete.parameterizations
        ),
    ] = "unordered",
    prior: PriorKind = "adaptive",
    prior_scale: PriorScale = None,
    prior_mean: PriorMean = None,
    prior_weights: PriorWeights = 2.0,
    draws: Annotated[int, typer.Option(help="Draws kept per chain.")] = 1000,
    tune: Annotated[int, typer.Option(help="Warm-up draws per chain.")] = 1000,
    chains: Annotated[int, typer.Option(help="Chains, each from its own start.")] = 4,
    seed: Annotated[int, typer.Option(help="The same seed gives the same draws.")] = 1,
    cores: Annotated[int, typer.Option(help="Chains sampled at the same time.")] = 2,
    target_accept: Annotated[
        float, typer.Option(help="Acceptance rate that the step size is adapted to.")
    ] = 0.8,
    hdi_prob: Annotated[
        float | None,
        typer.Option(help="Mass of the intervals.", show_default="0.89, as in ArviZ"),
    ] = None,
    time_limit: Annotated[
        float, typer.Option(help="Seconds after which a sampler is given up.")
    ] = 3600.0,
    scales: Scales = "free",
    fixed: Fixed = None,
    covariance: Annotated[
        str,
        typer.Option(
            help="Of several columns: full, diagonal, spherical or tied.", show_default="full"
        ),
    ] = "",
    axis: Annotated[
        str,
        typer.Option(
            help="Along which components of several columns are listed: a column, principal, "
            "discriminant, or numbers with commas between.",
            show_default="the first column",
        ),
    ] = "",
    errors: Errors = None,
    lower: Bound = None,
    upper: Bound = None,
    separator: Separator = ",",
    decimal_comma: DecimalComma = False,
    drop_missing: DropMissing = False,
    where: Where = "",
    dask: Annotated[
        str | None,
        typer.Option(help="Address of a Dask scheduler whose workers read the data and sum."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Output folder.", show_default="results/DATA/fit-kK")
    ] = None,
    force: Force = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    as_json: Json = False,
) -> None:
    """Fit a Gaussian mixture to one column of numbers, or to several, as FILE:x,y.

    Prints the estimates of each component and whether to trust them, and writes estimates.csv,
    points.csv (which point belongs where), criteria.csv and, if sampled, report.html and draws.nc
    for ArviZ. More points than memory should hold are read in blocks for every pass, and have
    neither points.csv nor report.html.
    """
    from ordered_mix.data import several_columns
    from ordered_mix.stream.stream import opened

    refuse_other_likelihoods(errors, lower, upper)
    if several_columns(data):
        from ordered_mix.fitted.fitted import default_mass

        summary = fit_several(
            data,
            reading(separator, decimal_comma, drop_missing, where),
            {
                "components": components, "covariance": covariance or "full",
                "axis": axis or "0", "prior": prior,
                "concentration": prior_weights, "draws": draws, "tune": tune, "chains": chains,
                "seed": seed, "cores": cores, "hdi_prob": hdi_prob or default_mass(),
            },
            {
                "--estimators": (estimators, "em,map,nuts"), "--fixed": (fixed, None),
                "--parameterization": (parameterization, "unordered"), "--dask": (dask, None),
                "--prior-scale": (prior_scale, None), "--prior-mean": (prior_mean, None),
                "--scales": (scales, "free"), "--target-accept": (target_accept, 0.8),
            },
            out,
            force,
            quiet or as_json,
        )  # fmt: skip
        if as_json:
            print(json.dumps(summary, indent=1))
        elif not quiet:
            print_several(summary)
        return
    refuse_for_one_column(covariance=covariance, axis=axis)
    asked: dict[str, Any] = {
        "components": components, "estimators": names_between_commas(estimators),
        "parameterization": parameterization, "draws": draws, "tune": tune, "chains": chains,
        "seed": seed, "target_accept": target_accept, "hdi_prob": hdi_prob, "scales": scales,
        "fixed": known_values(fixed),
    }  # fmt: skip
    free = {"cores": cores, "time_limit": time_limit}
    with _client(dask) as client:
        how = reading(separator, decimal_comma, drop_missing, where)
        column = opened(data, client=client, **how)
        _check(column, asked, free)
        chosen: Any = prior
        if set(asked["estimators"]) != {"em"}:
            chosen = chosen_prior(column, prior, prior_scale, prior_mean, prior_weights)
        summary = _fit(column, asked, chosen, free, out, force, quiet or as_json)
    if as_json:
        print(json.dumps(summary, indent=1))
    elif not quiet:
        print_fit(summary)


@contextmanager
def _client(address: str | None) -> Iterator[Any]:
    """A client of the scheduler at an address, None without one."""
    if address is None:
        yield None
        return
    # distributed takes half a second to import
    from ordered_mix.engine.cluster import connected

    with connected(address=address) as connection:
        yield connection.client


def _check(data: Data | Stream, asked: dict[str, Any], free: dict[str, Any]) -> None:
    from ordered_mix.fitted.fit import check, check_restriction
    from ordered_mix.fitted.restriction import Restriction

    smallest, largest = check(data, asked["components"], asked | free, asked["hdi_prob"])
    check_restriction(Restriction(asked["scales"], asked["fixed"]), smallest, largest, asked)


def _fit(
    data: Data | Stream,
    asked: dict[str, Any],
    prior: Any,
    free: dict[str, Any],
    out: Path | None,
    force: bool,
    quiet: bool,
) -> dict[str, Any]:
    from ordered_mix.files.results import ResultFolder, digest, slug
    from ordered_mix.fitted.fit import fit
    from ordered_mix.stream.stream import Stream

    streamed = isinstance(data, Stream)
    log.info("data %s, n = %d%s", data.name, data.n, ", read in blocks" if streamed else "")
    content = data.digest if isinstance(data, Stream) else digest(data.y)
    identity = {"data": data.name, "sha256": content, "prior": repr(prior), **asked}
    place = out or Path("results") / slug(data.name) / f"fit-k{slug(str(asked['components']))}"
    folder = ResultFolder(place, identity)

    def make(progress: Callable[[str], None]) -> None:
        result = fit(data, prior=prior, progress=progress, **asked, **free)
        progress("report")
        _write(result, folder)

    return made_once(folder, force, quiet, make)


def _write(result: Fitted | FittedStream, folder: ResultFolder) -> None:
    from ordered_mix.fitted.fitted import Fitted

    tables = {"estimates": result.estimates, "criteria": result.criteria}
    if isinstance(result, Fitted):
        tables["points"] = result.points
    for name, table in tables.items():
        folder.write(f"{name}.csv", partial(table.to_csv, index=False))
    if result.draws is not None and isinstance(result, Fitted):
        # PyMC takes seconds to import, which EM alone need not wait for
        from ordered_mix.report import render

        page = render(result)
        folder.write("report.html", lambda path: path.write_text(page, encoding="utf-8"))
    if result.draws is not None:
        folder.write_tree("draws.nc", result.tree)
    summary = summary_of(result) | {"folder": str(folder.path)}
    folder.write(SUMMARY, lambda path: path.write_text(json.dumps(summary, indent=1)))


def summary_of(result: Fitted | FittedStream) -> dict[str, Any]:
    """What `--json` prints, and what the terminal shows."""
    records = {
        name: json.loads(getattr(result, name).to_json(orient="records", double_precision=15))
        for name in ("estimates", "criteria")
    }
    return {
        "data": result.data.name,
        "n": result.data.n,
        "components": result.components,
        "headline": result.headline,
        "hdi_prob": None if result.labelled is None else result.hdi_prob,
        **records,
        "verdicts": [vars(verdict) for verdict in result.verdicts],
        "notes": result.notes,
    }
