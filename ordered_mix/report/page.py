"""The page and the fragment for notebooks: two templates over the parts of a report."""

from __future__ import annotations

from functools import singledispatch
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ordered_mix import __version__
from ordered_mix.compare.comparison import Comparison
from ordered_mix.compare.diagnosis import DrawsDiagnosis, diagnose
from ordered_mix.compare.points import ComparisonOfPoints
from ordered_mix.draws.draws import Draws
from ordered_mix.draws.relabel.tree import RelabelledTree
from ordered_mix.files.results import replacing
from ordered_mix.fitted.fitted import Fitted
from ordered_mix.fitted.points import FittedPoints
from ordered_mix.report.contents import Report
from ordered_mix.report.of_comparison import ComparisonReport
from ordered_mix.report.of_diagnosis import DiagnosisReport
from ordered_mix.report.of_fit import FitReport
from ordered_mix.report.of_points import FittedPointsReport, PointsComparisonReport
from ordered_mix.report.of_study import StudyReport
from ordered_mix.report.tables.table import percent
from ordered_mix.study.result import StudyResult

type Reported = (
    Fitted | FittedPoints | Comparison | ComparisonOfPoints | DrawsDiagnosis | StudyResult | Report
)


def render(result: Reported) -> str:
    """The report of a fit, a comparison, draws or a study, one self-contained HTML page.

    Parameters
    ----------
    result : Fitted, FittedPoints, Comparison, ComparisonOfPoints, DrawsDiagnosis, StudyResult, or
        the Report of one

    Returns
    -------
    str
        HTML without scripts, that loads nothing; the same result gives the same bytes.
    """
    return _fill("page.html", result)


@singledispatch
def notebook(result: Any) -> str:
    """The verdicts, one table and one figure as an HTML fragment."""
    return _fill("notebook.html", result)


@notebook.register
def _(result: Draws) -> str:
    try:
        return notebook(diagnose(result.tree, likelihood="normal"))
    except ValueError:  # too few to be diagnosed
        return str(result.tree._repr_html_())


@notebook.register
def _(result: RelabelledTree) -> str:
    """What was done to the labels, and the DataTree."""
    effect = result.effect
    rounds = result.relabelling.iterations
    ended = "settled" if result.relabelling.converged else "still changing"
    means = "" if result.meaningful else "; <strong>labels mean nothing here</strong>"
    head = Markup(
        "<p><strong>Relabelled by {}</strong><br>The labels of {} of the draws were changed; "
        "the permutations were {} after {} round{}; the closest labels are {} standard deviations "
        f"apart{means}. Permuted: {{}}. Left alone: {{}}. The tree is <code>.draws</code>, the "
        "permutations are in <code>.permutation</code>.</p>"
    ).format(
        result.method, percent(effect.changed), ended, rounds, "s" if rounds > 1 else "",
        f"{effect.separation:.1f}", ", ".join(result.permuted) or "nothing",
        ", ".join(result.left_alone) or "nothing",
    )  # fmt: skip
    return str(head) + result.draws._repr_html_()


def write_report(result: StudyResult) -> list[str]:
    """Write ``report.html`` to the folder of a study.

    Returns
    -------
    list of str
        One sentence for each figure that could not be drawn, and for findings that could not be
        computed.
    """
    report = StudyReport(result)
    page = render(report)
    with replacing(result.path / "report.html") as temporary:
        temporary.write_text(page, encoding="utf-8")
    return report.problems


@singledispatch
def report_of(result: object) -> Report:
    """The parts of the report of a result.

    Raises
    ------
    ValueError
        If the result is neither a fit nor a comparison nor a diagnosis nor of a study.
    """
    raise ValueError(
        "result must be a Fitted, a Comparison, a DrawsDiagnosis or a StudyResult, "
        f"got {type(result).__name__}"
    )


report_of.register(Fitted, FitReport)
report_of.register(Comparison, ComparisonReport)
report_of.register(FittedPoints, FittedPointsReport)
report_of.register(ComparisonOfPoints, PointsComparisonReport)
report_of.register(DrawsDiagnosis, DiagnosisReport)
report_of.register(StudyResult, StudyReport)


@report_of.register
def _(result: Report) -> Report:
    return result


def _fill(template: str, result: Reported) -> str:
    environment = Environment(
        loader=PackageLoader("ordered_mix.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(report=report_of(result), version=__version__)
