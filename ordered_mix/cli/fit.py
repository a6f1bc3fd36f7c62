"""``ordered-mix fit DATA``."""

from __future__ import annotations

import json
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
    loaded,
    log,
    names_between_commas,
    reading,
    refuse_other_likelihoods,
)
from ordered_mix.cli.progress import stages
from ordered_mix.cli.several import fit_several, print_several, several_columns
from ordered_mix.cli.text import print_fit

if TYPE_CHECKING:
    from ordered_mix.data import Data
    from ordered_mix.files.results import ResultFolder
    from ordered_mix.fitted.fitted import Fitted

SUMMARY = "summary.json"
EXAMPLES = """Examples:

ordered-mix fit faithful:waiting

ordered-mix fit my.csv:height --components 1-6

ordered-mix fit my.csv:height --components auto --estimators em

ordered-mix fit my.csv:height,weight --components 3"""


def fit_command(
    data: Annotated[
        str,
        typer.Argument(
            help="FILE:column (csv, tsv, gz, parquet, xlsx), - for standard input, or a shipped "
            "data set (see list).",
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
    errors: Errors = None,
    lower: Bound = None,
    upper: Bound = None,
    separator: Separator = ",",
    decimal_comma: DecimalComma = False,
    drop_missing: DropMissing = False,
    where: Where = "",
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
    for ArviZ.
    """
    from ordered_mix.fitted.fit import check, check_restriction
    from ordered_mix.fitted.restriction import Restriction

    refuse_other_likelihoods(errors, lower, upper)
    if several_columns(data):
        summary = fit_several(
            data,
            reading(separator, decimal_comma, drop_missing, where),
            {
                "components": components, "covariance": covariance or "full", "prior": prior,
                "concentration": prior_weights, "draws": draws, "tune": tune, "chains": chains,
                "seed": seed, "cores": cores, "hdi_prob": hdi_prob or 0.89,
            },
            {
                "--estimators": (estimators, "em,map,nuts"), "--fixed": (fixed, None),
                "--parameterization": (parameterization, "unordered"),
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
    if covariance:
        raise ValueError(f"--covariance must be left out for one column, got {covariance!r}")
    column = loaded(data, separator, decimal_comma, drop_missing, where)
    asked: dict[str, Any] = {
        "components": components, "estimators": names_between_commas(estimators),
        "parameterization": parameterization, "draws": draws, "tune": tune, "chains": chains,
        "seed": seed, "target_accept": target_accept, "hdi_prob": hdi_prob, "scales": scales,
        "fixed": known_values(fixed),
    }  # fmt: skip
    free = {"cores": cores, "time_limit": time_limit}
    smallest, largest = check(column, components, asked | free, hdi_prob)
    check_restriction(Restriction(scales, asked["fixed"]), smallest, largest, asked)
    chosen: Any = prior
    if set(asked["estimators"]) != {"em"}:
        chosen = chosen_prior(column, prior, prior_scale, prior_mean, prior_weights)
    summary = _fit(column, asked, chosen, free, out, force, quiet or as_json)
    if as_json:
        print(json.dumps(summary, indent=1))
    elif not quiet:
        print_fit(summary)


def _fit(
    data: Data,
    asked: dict[str, Any],
    prior: Any,
    free: dict[str, Any],
    out: Path | None,
    force: bool,
    quiet: bool,
) -> dict[str, Any]:
    from ordered_mix.files.results import ResultFolder, digest, slug
    from ordered_mix.fitted.fit import fit

    log.info("data %s, n = %d", data.name, data.n)
    identity = {"data": data.name, "sha256": digest(data.y), "prior": repr(prior), **asked}
    place = out or Path("results") / slug(data.name) / f"fit-k{slug(str(asked['components']))}"
    folder = ResultFolder(place, identity)
    with folder.locked(force):
        if SUMMARY in folder:
            note = "these results were there already, --force computes them anew"
            return json.loads((folder.path / SUMMARY).read_text()) | {"note": note}
        with stages(quiet) as progress:
            result = fit(data, prior=prior, progress=progress, **asked, **free)
            progress("report")
            _write(result, folder)
        return json.loads((folder.path / SUMMARY).read_text())


def _write(result: Fitted, folder: ResultFolder) -> None:
    tables = {"estimates": result.estimates, "points": result.points, "criteria": result.criteria}
    for name, table in tables.items():
        folder.write(f"{name}.csv", partial(table.to_csv, index=False))
    if result.draws is not None:
        # PyMC takes seconds to import, which EM alone need not wait for
        from ordered_mix.report import render

        page = render(result)
        folder.write("report.html", lambda path: path.write_text(page, encoding="utf-8"))
        folder.write_tree("draws.nc", result.tree)
    summary = summary_of(result) | {"folder": str(folder.path)}
    folder.write(SUMMARY, lambda path: path.write_text(json.dumps(summary, indent=1)))


def summary_of(result: Fitted) -> dict[str, Any]:
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
        "hdi_prob": None if result.draws is None else result.hdi_prob,
        **records,
        "verdicts": [vars(verdict) for verdict in result.verdicts],
        "notes": result.notes,
    }
