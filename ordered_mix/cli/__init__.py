"""The command line: ``ordered-mix compare | diagnose | run | list``."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

import ordered_mix
from ordered_mix.cli import compare, diagnose, run

FAILED = 1
BAD_INPUT = 2
INTERRUPTED = 130

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Gaussian mixtures in several coordinate systems: which parameterization, which "
    "estimator, and can the fit be trusted?",
    epilog="Exit status: 0 done, 1 a study or its report is not complete, 2 bad input, "
    "130 interrupted (run the same command again to resume).",
)


def main() -> None:
    """Entry point of ``ordered-mix``: errors of the user's input end in one sentence."""
    try:
        app(standalone_mode=True)
    except ValueError as error:
        print(f"ordered-mix: {error}", file=sys.stderr)
        raise SystemExit(BAD_INPUT) from None
    except RuntimeError as error:
        if type(error).__name__ != "StudyError":
            raise
        print(f"ordered-mix: {error}", file=sys.stderr)
        raise SystemExit(FAILED) from None
    except KeyboardInterrupt:
        print("ordered-mix: interrupted, run the same command to resume", file=sys.stderr)
        raise SystemExit(INTERRUPTED) from None


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
def list_command() -> None:
    """List the parameterizations, the studies and the shipped data sets."""
    from ordered_mix import catalog
    from ordered_mix.data import shipped

    print("Parameterizations:")
    for name in catalog.names():
        print(f"  {name:12} {catalog.summary(name)}")
    print("Studies:")
    for name in catalog.names("study"):
        print(f"  {name:12} {catalog.summary(name, 'study')}")
    print("Data sets:")
    for name in shipped():
        print(f"  {name}")


app.command("compare", epilog=compare.EXAMPLES)(compare.compare_command)
app.command("diagnose", epilog=diagnose.EXAMPLES)(diagnose.diagnose_command)
app.command("run", epilog=run.EXAMPLES)(run.run_command)
