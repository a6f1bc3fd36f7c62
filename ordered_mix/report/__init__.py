"""One self-contained HTML report: the answer, the evidence as figures, the tables, the method."""

from ordered_mix.report.page import notebook, render

__all__ = ["notebook", "render"]
