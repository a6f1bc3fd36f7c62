"""The table of several numbers of components."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ordered_mix.report.tables.table import Row, Table, fixed

if TYPE_CHECKING:
    from ordered_mix.compare.several import Several

COLUMNS = {
    "log_evidence": ("Log evidence", fixed(2)),
    "log_evidence_se": ("Standard error", fixed(2)),
    "probability": ("Probability", fixed(3)),
    "probability_se": ("Standard error", fixed(3)),
    "elpd_loo": ("elpd, LOO", fixed(2)),
    "elpd_waic": ("elpd, WAIC", fixed(2)),
    "bic": ("BIC", fixed(2)),
    "sbic": ("sBIC", fixed(2)),
    "icl": ("ICL", fixed(2)),
}


def of_numbers(found: Several) -> Table:
    """Evidence, probability and criteria of each number of components."""
    rows = [
        Row(f"K = {row['components']}", "", [write(row[key]) for key, (_, write) in
                                             COLUMNS.items()])
        for row in found.table.to_dict("records")
    ]  # fmt: skip
    note = (
        "Larger is better for the evidence and the elpd, smaller for BIC, sBIC and ICL. Prior over "
        f"K: {found.prior_components.replace('_', ' ')}."
    )
    return Table("How many components", note, [name for name, _ in COLUMNS.values()], rows)
