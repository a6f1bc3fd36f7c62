"""The command line: ``ordered-mix fit | compare | diagnose | run | list``."""

from __future__ import annotations

import json
import logging
import os
import sys
import traceback
from typing import Annotated, NoReturn

import typer

import ordered_mix
from ordered_mix.cli import compare, diagnose, fit, run
from ordered_mix.cli.options import Json, log
from ordered_mix.errors import RunError, one_line

FAILED = 1
BAD_INPUT = 2
INTERRUPTED = 130

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Gaussian mixtures in several coordinate systems: which parameterization, which "
    "estimator, and can the fit be trusted?",
    epilog="""Examples:

ordered-mix list

ordered-mix fit faithful:waiting

ordered-mix compare faithful:waiting

ordered-mix diagnose own.nc --mu centre --sigma spread --weights share

ordered-mix run em_rates --size smoke

ordered-mix COMMAND --help

Exit status: 0 done; 1 a study or its report is not complete, or a fault of the program; \
2 bad input; 130 interrupted, and the same command resumes.""",
)


def main() -> None:
    """Entry point of ``ordered-mix``: errors of the user's input end in one sentence."""
    # on a busy machine, threads that share a small matrix wait longer than they compute
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    try:
        try:
            app(prog_name="ordered-mix")
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        # whoever read our output has gone; the interpreter must not try to flush it once more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(FAILED) from None
    except SystemExit as end:
        if end.code == INTERRUPTED:
            print("ordered-mix: interrupted, the same command resumes", file=sys.stderr)
        raise
    except ValueError as error:
        _stop(error, BAD_INPUT)
    except RunError as error:
        _stop(error, FAILED)
    except OSError as error:
        _stop(RunError(f"{error}; what is finished is kept"), FAILED)
    except MemoryError:
        _stop(MemoryError("the memory is exhausted: use fewer draws, chains or points"), FAILED)


def _stop(error: Exception, status: int) -> NoReturn:
    if log.isEnabledFor(logging.INFO):
        traceback.print_exception(error)
    print(f"ordered-mix: {one_line(str(error))}", file=sys.stderr)
    raise SystemExit(status) from None


def _print_version(asked: bool) -> None:
    if asked:
        print(f"ordered-mix {ordered_mix.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version and stop.", is_eager=True, callback=_print_version
        ),
    ] = False,
) -> None:
    pass


@app.command("list")
def list_command(as_json: Json = False) -> None:
    """List the parameterizations, the studies and the shipped data sets."""
    from ordered_mix.data import shipped, shipped_points
    from ordered_mix.parameterization import catalog

    several = {name: "of several columns, for fit" for name in shipped_points()}
    summaries = {
        "Parameterizations": {name: catalog.summary(name) for name in catalog.names()},
        "Studies": {name: catalog.summary(name, "study") for name in catalog.names("study")},
        "Data sets": dict.fromkeys(shipped(), "") | several,
    }
    if as_json:
        found = {key.lower(): values for key, values in summaries.items() if key != "Data sets"}
        sets = {"data_sets": shipped(), "data_sets_of_several_columns": list(several)}
        print(json.dumps({**found, **sets}, indent=1))
        return
    width = max(len(name) for named in summaries.values() for name in named)
    for heading, named in summaries.items():
        print(f"{heading}:")
        for name, summary in named.items():
            print(f"  {name:{width}}  {summary}".rstrip())


app.command("fit", epilog=fit.EXAMPLES)(fit.fit_command)
app.command("compare", epilog=compare.EXAMPLES)(compare.compare_command)
app.command("diagnose", epilog=diagnose.EXAMPLES)(diagnose.diagnose_command)
app.command("run", epilog=run.EXAMPLES)(run.run_command)
