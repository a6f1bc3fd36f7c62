"""The page and the fragment for notebooks: two templates over the parts of a report."""

from __future__ import annotations

from functools import singledispatch

from jinja2 import Environment, PackageLoader, StrictUndefined

from ordered_mix import __version__
from ordered_mix.comparison import Comparison
from ordered_mix.diagnosis import DrawsDiagnosis
from ordered_mix.report.contents import Report
from ordered_mix.report.of_comparison import ComparisonReport
from ordered_mix.report.of_diagnosis import DiagnosisReport


def render(result: Comparison | DrawsDiagnosis) -> str:
    """The report of a comparison, or of a diagnosis of draws, as one self-contained HTML page.

    Parameters
    ----------
    result : Comparison or DrawsDiagnosis

    Returns
    -------
    str
        HTML without scripts, that loads nothing; the same result gives the same bytes.
    """
    return _fill("page.html", result)


def notebook(result: Comparison | DrawsDiagnosis) -> str:
    """The verdicts, one table and the fitted density as an HTML fragment."""
    return _fill("notebook.html", result)


@singledispatch
def report_of(result: object) -> Report:
    """The parts of the report of a result.

    Raises
    ------
    ValueError
        If the result is neither a comparison nor a diagnosis.
    """
    raise ValueError(
        f"result must be a Comparison or a DrawsDiagnosis, got {type(result).__name__}"
    )


report_of.register(Comparison, ComparisonReport)
report_of.register(DrawsDiagnosis, DiagnosisReport)


def _fill(template: str, result: Comparison | DrawsDiagnosis) -> str:
    environment = Environment(
        loader=PackageLoader("ordered_mix.report", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(report=report_of(result), version=__version__)
