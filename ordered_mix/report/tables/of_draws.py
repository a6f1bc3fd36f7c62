"""The tables of a diagnosis of draws: raw and relabelled side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ordered_mix.compare.columns import SAMPLERS
from ordered_mix.report.tables.table import (
    NO_VALUE,
    Row,
    Table,
    fixed,
    magnitude,
    percent,
    significant,
)

if TYPE_CHECKING:
    from ordered_mix.compare.diagnosis import DrawsDiagnosis

LABELS = ("raw", "relabelled")
CONVERGENCE = {
    "rhat": ("R-hat", fixed(3)),
    "ess_bulk": ("ESS, bulk", fixed(0)),
    "ess_tail": ("ESS, tail", fixed(0)),
    "bimodality": ("Bimodality", fixed(2)),
}
COMPONENTS = (
    "Component 1 is the first as given (raw), or the first of the relabelled copy (relabelled)."
)
INVARIANT = "Quantities of every draw that need no labels."
MOST_ROWS = 60


def tables(found: DrawsDiagnosis) -> list[Table]:
    """Every table that applies to a diagnosis."""
    made = [convergence(found), estimates(found), invariants(found)]
    if found.k > 1:
        made += [changes(found), label_switching(found), relabelling(found)]
    if found.elpd_waic is not None:
        made.append(criteria(found))
    return [table for table in made if table.rows]


def convergence(found: DrawsDiagnosis) -> Table:
    """R-hat, ESS and bimodality of every quantity and component."""
    measured = _measured(found)
    rows = [
        Row(name, "", [write(measured.get((labels, *key), {}).get(column))
                       for column, (_, write) in CONVERGENCE.items() for labels in LABELS])
        for key, name in _quantities(found).items()
    ]  # fmt: skip
    columns = [f"{header}, {labels}" for header, _ in CONVERGENCE.values() for labels in LABELS]
    note = f"{COMPONENTS} Bimodality is 0.64 for a normal distribution, above 0.8 for two modes."
    return Table("Convergence", note, columns, rows)


def changes(found: DrawsDiagnosis) -> Table:
    """The worst of every variable that is permuted."""
    writes = {"rhat": ("R-hat", fixed(3)), "ess": ("ESS", fixed(0)),
              "bimodality": ("Bimodality", fixed(2))}  # fmt: skip
    rows = [
        Row(row["variable"], "", [write(row[f"{key}_{when}"]) for key, (_, write) in writes.items()
                                  for when in ("before", "after")])
        for row in found.relabelled.effect.by_variable.to_dict("records")
    ]  # fmt: skip
    columns = [f"{header}, {labels}" for header, _ in writes.values() for labels in LABELS]
    note = (
        "The largest R-hat, the smallest bulk ESS and the largest bimodality among the entries of "
        "each variable; of large ones some entries, evenly spread."
    )
    return Table("Every permuted variable", note, columns, rows)


def estimates(found: DrawsDiagnosis) -> Table:
    """Posterior means and standard deviations with the Monte Carlo errors of the means."""
    measured = _measured(found)
    rows = []
    for key, name in _quantities(found).items():
        cells = []
        pair = [found.values_of(*key, labels) for labels in LABELS]
        write = magnitude(float(np.ptp(pair[1])) or 1.0)
        for values in pair:
            deviation = float(np.std(values, ddof=1))
            cells.append(f"{write(float(np.mean(values)))} ± {write(deviation)}")
        errors = [measured.get((labels, *key), {}).get("mcse_mean") for labels in LABELS]
        rows.append(Row(name, "", cells + [significant(2)(error) for error in errors]))
    columns = [f"Estimate, {labels}" for labels in LABELS] + [f"MCSE, {name}" for name in LABELS]
    note = "Posterior mean ± posterior sd, and the Monte Carlo error (MCSE) of the mean. "
    return Table("Estimates", note + COMPONENTS, columns, rows)


def invariants(found: DrawsDiagnosis) -> Table:
    """Convergence of what does not depend on labels."""
    table = found.table[found.table["labels"] == "label-invariant"]
    keys = ("rhat", "ess_bulk", "ess_tail", "mcse_mean")
    writes = (fixed(3), fixed(0), fixed(0), significant(2))
    rows = [
        Row(row["quantity"], "", [write(row[key]) for key, write in zip(keys, writes, strict=True)])
        for row in table.to_dict("records")
    ]
    return Table("Label-invariant quantities", INVARIANT,
                 ["R-hat", "ESS, bulk", "ESS, tail", "MCSE"], rows)  # fmt: skip


def relabelling(found: DrawsDiagnosis) -> Table:
    """What the relabelling did, how sure it is, and what followed it."""
    tree, effect = found.relabelled, found.relabelled.effect
    margins = np.quantile(effect.margin, (0.05, 0.5))
    values = {
        "Method": found.method,
        "Draws whose labels changed": percent(effect.changed),
        "Distance of the closest labels": f"{effect.separation:.1f} sd, by {effect.by}",
        "Within chains, raw and relabelled": " and ".join(f"{x:.1f} sd" for x in effect.within),
        "Cost of an exchange of two labels": f"{margins[0]:.1f} nats in 5% of the draws or less, "
                                             f"{margins[1]:.1f} in half of them",
        "Permuted": ", ".join(tree.permuted),
        "Left alone": ", ".join(tree.left_alone) or NO_VALUE,
    }  # fmt: skip
    if effect.nearly_empty:
        values["Components with less than 1% of the weight"] = str(effect.nearly_empty)
    rows = [Row(name, "", [value]) for name, value in values.items()]
    note = "A distance is the mean of the difference of two labels, in its standard deviations."
    return Table("Relabelling", note, ["Value"], rows, prose=True)


def label_switching(found: DrawsDiagnosis) -> Table:
    """The measures of label switching, each with a line in words."""
    measured = found.switching
    values = {
        "switching_rate": ("Steps that switch labels", percent(measured.switching_rate)),
        "chain_disagreement": (SAMPLERS["chain_disagreement"].heading,
                               fixed(2)(measured.chain_disagreement)),
        "modes_visited": ("Labellings visited", fixed(0)(measured.modes_visited)),
        "relative_entropy": ("Entropy of the labellings", fixed(2)(measured.relative_entropy)),
        "first_passage": ("Draws to a second labelling", fixed(0)(measured.first_passage.min())),
        "gap_mass": (SAMPLERS["gap_mass"].heading, percent(measured.gap_mass)),
    }  # fmt: skip
    lines = measured.interpretation()
    rows = [Row(name, "", [value, lines[key]]) for key, (name, value) in values.items()]
    note = (
        "Of the raw draws. A labelling is the permutation that the relabelling undoes; entropy 1 "
        "is uniform over all."
    )
    return Table("Label switching", note, ["Measured", "In words"], rows, prose=True)


def criteria(found: DrawsDiagnosis) -> Table:
    """WAIC and LOO."""
    waic, loo = found.elpd_waic, found.elpd_loo
    assert waic is not None and loo is not None
    doubtful = {"WAIC": waic.n_high_p, "LOO": int(np.sum(loo.pareto_k > loo.good_k))}
    rows = [
        Row(name, "", [fixed(2)(float(value)) for value in (elpd.elpd, elpd.se, elpd.mcse, elpd.p)]
            + [fixed(0)(doubtful[name])])
        for name, elpd in (("WAIC", waic), ("LOO", loo))
    ]  # fmt: skip
    note = (
        "Expected log predictive density (elpd) in nats. In doubt are points with p above 0.4 "
        f"(WAIC) or Pareto k above {float(loo.good_k):.2f} (LOO)."
    )
    columns = ["elpd", "Standard error", "Monte Carlo error", "p", "Points in doubt"]
    return Table("Predictive accuracy", note, columns, rows)


def _measured(found: DrawsDiagnosis) -> dict[tuple[str, str, int], dict[str, Any]]:
    """Measures by labels, quantity and component."""
    records = found.table.to_dict("records")
    return {(row["labels"], row["quantity"], row["component"]): row for row in records}


def _quantities(found: DrawsDiagnosis) -> dict[tuple[str, int], str]:
    """The component-indexed quantities that vary, and what they are called."""
    table = found.table[found.table["labels"] == "relabelled"]
    keys = dict.fromkeys(zip(table["quantity"], table["component"], strict=True))
    return {key: f"{key[0]} {key[1] + 1}" for key in list(keys)[:MOST_ROWS]}
