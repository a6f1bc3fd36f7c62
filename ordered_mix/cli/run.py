"""``ordered-mix run STUDY``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ordered_mix.cli import complete
from ordered_mix.cli.options import Json, Quiet, Verbose, log
from ordered_mix.cli.progress import cells
from ordered_mix.cli.text import print_study
from ordered_mix.errors import RunError

if TYPE_CHECKING:
    from ordered_mix.study.result import StudyResult

EXAMPLES = """Examples:

ordered-mix run em_rates --size smoke

ordered-mix run em_rates --set separation=1,2 --workers 4

ordered-mix run fisher --experiment spectrum

ordered-mix run path/to/mine.py --dask tcp://localhost:8786"""


def run_command(
    study: Annotated[
        str,
        typer.Argument(
            help="A study of `ordered-mix list`, or the path of a study file. A study file is a "
            "program: it is run, so name only files you trust.",
            autocompletion=complete.study,
        ),
    ],
    size: Annotated[
        str,
        typer.Option(
            help="smoke (seconds), laptop (minutes), cluster.",
            autocompletion=complete.one_of(complete.SIZES),
        ),
    ] = "laptop",
    workers: Annotated[int, typer.Option(help="Worker processes on this machine.")] = 2,
    dask: Annotated[
        str | None, typer.Option(help="Address of a Dask scheduler to use instead.")
    ] = None,
    slurm: Annotated[
        Path | None,
        typer.Option(help="TOML file for dask-jobqueue's SLURMCluster, see docs/cluster.md."),
    ] = None,
    factors: Annotated[
        list[str] | None, typer.Option("--set", help="factor=value,value; may be repeated.")
    ] = None,
    experiments: Annotated[
        list[str] | None,
        typer.Option(
            "--experiment", help="An experiment of the study, all without; may be repeated."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Output folder.", show_default="results/STUDY-SIZE[-SETTINGS]"),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Keep cells of an older version of the study's code.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Compute all cells anew.")] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    as_json: Json = False,
) -> None:
    """Run a study: compute its grid of cells, test its claims, write its report.

    Cells that are finished are kept; Ctrl-C stops cleanly and the same command resumes.
    """
    from ordered_mix.engine.run import load_study, run_study
    from ordered_mix.files.results import slug
    from ordered_mix.report.page import write_report
    from ordered_mix.study.grid import parse_settings
    from ordered_mix.study.result import verdict_table

    loaded = load_study(study)
    overrides = parse_settings(factors or [], loaded.factors)
    parts = loaded.chosen(experiments or [])
    settings = "".join(
        f"-{slug(given)}" for given in (*(experiments or []), *sorted(factors or []))
    )
    folder = out or Path("results") / f"{slug(loaded.name)}-{size}{settings}"
    if not force:
        _check_same_settings(folder, size, overrides, parts)
    log.info("study %s, size %s, folder %s", loaded.name, size, folder)
    with cells(quiet or as_json) as progress:
        result = run_study(
            loaded,
            size,
            out=folder,
            overrides=overrides,
            experiments=parts,
            workers=workers,
            address=dask,
            slurm=slurm,
            resume=resume,
            force=force,
            progress=progress,
        )
    log.info("report")
    problems = write_report(result)
    _draw(result)
    if as_json:
        table = verdict_table(result.verdicts).to_json(orient="records", double_precision=15)
        print(json.dumps(json.loads(table), indent=1))
    elif not quiet:
        print_study(result)
    if problems:
        raise RunError(f"{' '.join(problems)} All else is written")


def _check_same_settings(
    folder: Path, size: str, overrides: Mapping[str, Sequence[Any]], experiments: Sequence[str]
) -> None:
    """Raise a ValueError if the folder holds tables of other sizes, settings or experiments."""
    path = folder / "provenance.json"
    if not path.is_file():
        return
    held = json.loads(path.read_text("utf-8"))["runs"][-1]
    asked = {name: list(values) for name, values in overrides.items()}
    parts = held.get("experiments", list(experiments))
    wanted = (size, json.loads(json.dumps(asked)), list(experiments))
    if (held["size"], held["overrides"], parts) != wanted:
        settings = [f"{name}={','.join(map(str, values))}" for name, values in
                    held["overrides"].items()]  # fmt: skip
        settings += [f"experiment {name}" for name in parts if parts != list(experiments)]
        was = "; ".join(settings)
        raise ValueError(
            f"out {str(folder)!r} holds the study at size {held['size']}"
            f"{f' with {was}' if was else ' with all its values'}, choose another folder or "
            "overwrite it with --force"
        )


def _draw(result: StudyResult) -> None:
    """Write the figures that can be drawn; the report names the others."""
    from matplotlib.animation import Animation

    from ordered_mix.files.results import replacing
    from ordered_mix.report.figures.style import gif

    for name, draw in result.study.figures.items():
        with suppress(Exception):
            drawn = draw(result)
            ending = "gif" if isinstance(drawn, Animation) else "svg"
            with replacing(result.path / f"{name}.{ending}") as temporary:
                if isinstance(drawn, Animation):
                    temporary.write_bytes(gif(drawn))
                else:
                    drawn.savefig(temporary, format="svg", metadata={"Date": None})
