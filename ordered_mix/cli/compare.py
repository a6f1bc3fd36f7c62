"""``ordered-mix compare DATA``."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ordered_mix.cli import complete
from ordered_mix.cli.compare_several import compare_several, print_compared_points
from ordered_mix.cli.fit import summary_of
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
    loaded,
    log,
    names_between_commas,
    reading,
    refuse_other_likelihoods,
)
from ordered_mix.cli.progress import stages
from ordered_mix.cli.several import refuse_for_one_column
from ordered_mix.cli.summary import SUMMARY, THERE_ALREADY, read_summary
from ordered_mix.cli.text import print_summary

if TYPE_CHECKING:
    from ordered_mix.compare.comparison import Comparison, Settings
    from ordered_mix.prior import Prior

ESTIMATORS = "em,map,nuts"
EXAMPLES = """Examples:

ordered-mix compare faithful:waiting

ordered-mix compare my.csv:height --components 3

ordered-mix compare galaxies --components 1-6

ordered-mix compare iris --components 3 --axis petal_length

ordered-mix compare galaxies --parameterizations "unordered,relative(link=square)" --out mine"""


def compare_command(
    data: Annotated[
        str,
        typer.Argument(
            help="FILE:column or FILE:x,y (csv, tsv, gz, parquet, xlsx), - for standard input, or "
            "a shipped data set (see list).",
            autocompletion=complete.data,
        ),
    ],
    components: Components = "2",
    prior_components: Annotated[
        str,
        typer.Option(help="Prior over K in a range: uniform, poisson, beta_negative_binomial."),
    ] = "uniform",
    parameterizations: Annotated[
        str,
        typer.Option(
            "--parameterizations",
            "--parameterization",
            help="Names of `ordered-mix list` or .py files of your own, with commas between; "
            "options in brackets.",
            autocompletion=complete.parameterizations,
        ),
    ] = "unordered,ordered,relative",
    estimators: Annotated[
        str,
        typer.Option(
            help="Point estimators (em, ecm, gradient, natural, map) and nuts (nutpie), nuts-pymc, "
            "with commas between.",
            autocompletion=complete.estimators,
        ),
    ] = ESTIMATORS,
    covariance: Annotated[
        str | None,
        typer.Option(help="Of several columns: full, diagonal, spherical or tied."),
    ] = None,
    axis: Annotated[
        str | None,
        typer.Option(
            help="Of several columns, what orders the components where a parameterization names "
            "none: a column, principal, discriminant (the default), or numbers with commas "
            "between."
        ),
    ] = None,
    prior: PriorKind = "adaptive",
    prior_scale: PriorScale = None,
    prior_mean: PriorMean = None,
    prior_weights: PriorWeights = 2.0,
    scales: Scales = "free",
    fixed: Fixed = None,
    errors: Errors = None,
    lower: Bound = None,
    upper: Bound = None,
    draws: Annotated[int, typer.Option(help="Draws kept per chain.")] = 1000,
    tune: Annotated[int, typer.Option(help="Warm-up draws per chain.")] = 1000,
    chains: Annotated[int, typer.Option(help="Chains, each from its own start.")] = 4,
    seed: Annotated[int, typer.Option(help="The same seed gives the same draws.")] = 1,
    cores: Annotated[int, typer.Option(help="Chains sampled at the same time.")] = 2,
    target_accept: Annotated[
        float, typer.Option(help="Acceptance rate that the step size is adapted to.")
    ] = 0.8,
    adaptation: Annotated[
        str, typer.Option(help="Mass matrix: diagonal, low_rank or dense (nutpie).")
    ] = "diagonal",
    time_limit: Annotated[
        float, typer.Option(help="Seconds after which a sampler is given up.")
    ] = 3600.0,
    separator: Separator = ",",
    decimal_comma: DecimalComma = False,
    drop_missing: DropMissing = False,
    where: Where = "",
    out: Annotated[
        Path | None, typer.Option(help="Output folder.", show_default="results/DATA/compare-kK")
    ] = None,
    force: Force = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    as_json: Json = False,
) -> None:
    """Compare parameterizations and estimators on one column of numbers, or several, as FILE:x,y.

    Prints a table and a verdict, and writes report.html, one ArviZ draws file per
    parameterization, table.parquet and table.csv. An interrupted run resumes.
    """
    from ordered_mix.compare.compare import asked, check
    from ordered_mix.data import several_columns
    from ordered_mix.fitted.restriction import Restriction

    refuse_other_likelihoods(errors, lower, upper)
    asked_for: dict[str, Any] = {
        "prior_components": prior_components,
        "parameterizations": names_between_commas(parameterizations),
        "draws": draws, "tune": tune, "chains": chains, "seed": seed, "cores": cores,
        "target_accept": target_accept, "adaptation": adaptation, "time_limit": time_limit,
    }  # fmt: skip
    if several_columns(data):
        chosen_estimators = names_between_commas(estimators)
        own: dict[str, Any] = {}
        own |= {"estimators": chosen_estimators} if estimators != ESTIMATORS else {}
        own |= {"covariance": covariance} if covariance else {}
        own |= {"axis": axis} if axis else {}
        summary = compare_several(
            data,
            reading(separator, decimal_comma, drop_missing, where),
            {"components": components, **asked_for, **own},
            {"kind": prior, "concentration": prior_weights},
            {
                "--fixed": (fixed, None), "--scales": (scales, "free"),
                "--prior-scale": (prior_scale, None), "--prior-mean": (prior_mean, None),
            },
            out,
            force,
            quiet or as_json,
        )  # fmt: skip
        if as_json:
            print(json.dumps(summary, indent=1))
        elif not quiet:
            print_compared_points(summary)
        return
    refuse_for_one_column(covariance=covariance, axis=axis)
    column = loaded(data, separator, decimal_comma, drop_missing, where)
    settings = asked(components, estimators=names_between_commas(estimators), **asked_for)
    check(column, settings)
    held = Restriction(scales, known_values(fixed))
    held.check(settings.components)
    if held.fixed and settings.up_to is not None:
        raise ValueError(
            "components must be one number where fixed holds values of components, "
            f"got {components}"
        )
    chosen = held.of_prior(chosen_prior(column, prior, prior_scale, prior_mean, prior_weights))
    summary = _compare(column, settings, chosen, out, force, quiet or as_json)
    if as_json:
        print(json.dumps(summary, indent=1))
    elif not quiet:
        print_summary(summary)


def _compare(
    data: Any, settings: Settings, prior: Prior, out: Path | None, force: bool, quiet: bool
) -> dict[str, Any]:
    from ordered_mix.compare.compare import compare, identity
    from ordered_mix.files.results import ResultFolder, slug

    log.info("data %s, n = %d", data.name, data.n)
    place = out or Path("results") / slug(data.name) / f"compare-k{_numbers(settings)}"
    folder = ResultFolder(place, identity(data, settings, prior))
    with folder.locked(force):
        if SUMMARY in folder and not (summary := read_summary(folder))["failed"]:
            return summary | {"note": THERE_ALREADY}
        with stages(quiet) as progress:
            result: Any = compare(data, settings, prior=prior, folder=folder, progress=progress)
            progress("report")
            _write(result, folder)
        return read_summary(folder)


def _numbers(settings: Settings) -> str:
    low, high = settings.components, settings.up_to
    return f"{low}" if high is None else f"{low}-{high}"


def _records(result: Comparison) -> list[dict[str, Any]]:
    if result.several is None:
        return []
    return json.loads(result.several.table.to_json(orient="records"))


def _write(result: Comparison, folder: Any) -> None:
    from ordered_mix.fitted.verdict import headline
    from ordered_mix.report import render
    from ordered_mix.report.words import prior_in_words

    folder.write("table.parquet", lambda path: result.table.to_parquet(path, index=False))
    folder.write("table.csv", lambda path: result.table.to_csv(path, index=False))
    tables = {"estimates": result.fitted.estimates, "points": result.fitted.points}
    for name, table in tables.items():
        folder.write(f"{name}.csv", partial(table.to_csv, index=False))
    if result.several is not None:
        numbers = result.several.table
        folder.write("components.csv", lambda path: numbers.to_csv(path, index=False))
    folder.write("timings.csv", lambda path: result.timings.to_csv(path, index=False))
    page = render(result)
    folder.write("report.html", lambda path: path.write_text(page, encoding="utf-8"))
    summary = {
        "data": result.data.name,
        "n": result.data.n,
        "components": result.settings.components,
        "prior": prior_in_words(result.prior),
        **summary_of(result.fitted),
        "verdicts": [vars(verdict) for verdict in result.verdicts],
        "headline": headline(result.verdicts),
        "skipped": result.skipped,
        "failed": result.failed,
        "table": json.loads(result.table.to_json(orient="records")),
        "by_components": _records(result),
        "folder": str(folder.path),
    }
    folder.write(SUMMARY, lambda path: path.write_text(json.dumps(summary, indent=1)))
