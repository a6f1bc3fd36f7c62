"""The tables of a diagnosis of draws: raw, folded and relabelled side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ordered_mix.report.tables.table import (
    SAMPLERS,
    Row,
    Table,
    fixed,
    magnitude,
    percent,
    significant,
)

if TYPE_CHECKING:
    from ordered_mix.compare.diagnosis import DrawsDiagnosis

LABELS = ("raw", "folded", "relabelled")
CONVERGENCE = {
    "rhat": ("R-hat", fixed(3)),
    "ess_bulk": ("ESS, bulk", fixed(0)),
    "ess_tail": ("ESS, tail", fixed(0)),
}
COMPONENTS = (
    "Component 1 is the first as given (raw), the one with the smallest mean (folded), the first "
    "of the relabelled copy (relabelled)."
)


def tables(found: DrawsDiagnosis) -> list[Table]:
    """Every table that applies to a diagnosis."""
    made = [convergence(found), estimates(found)]
    if found.mixture.k > 1:
        made.append(label_switching(found))
    if found.y is not None:
        made.append(criteria(found))
    return made


def convergence(found: DrawsDiagnosis) -> Table:
    """R-hat and ESS of every quantity and component."""
    measured = _measured(found)
    rows = [
        Row(name, "", [write(measured.get((labels, *key), {}).get(column))
                       for column, (_, write) in CONVERGENCE.items() for labels in LABELS])
        for key, name in _quantities(found).items()
    ]  # fmt: skip
    columns = [f"{header}, {labels}" for header, _ in CONVERGENCE.values() for labels in LABELS]
    return Table("Convergence", COMPONENTS, columns, rows)


def estimates(found: DrawsDiagnosis) -> Table:
    """Posterior means and standard deviations with the Monte Carlo errors of the means."""
    measured = _measured(found)
    mixtures = (found.mixture, found.mixture.fold(), found.relabelled_mixture)
    scale = magnitude(float(np.median(found.mixture.sd())))
    rows = []
    for key, name in _quantities(found).items():
        quantity, component = key
        write = fixed(3) if quantity == "w" else scale
        cells = []
        for mixture in mixtures:
            values = getattr(mixture, quantity)[..., component]
            cells.append(f"{write(values.mean())} ± {write(values.std(ddof=1))}")
        errors = [measured.get((labels, *key), {}).get("mcse_mean") for labels in LABELS]
        rows.append(Row(name, "", cells + [significant(2)(error) for error in errors]))
    columns = [f"Estimate, {labels}" for labels in LABELS] + [f"MCSE, {name}" for name in LABELS]
    note = "Posterior mean ± posterior sd, and the Monte Carlo error (MCSE) of the mean. "
    return Table("Estimates", note + COMPONENTS, columns, rows)


def label_switching(found: DrawsDiagnosis) -> Table:
    """The measures of label switching, each with a line in words."""
    measured = found.switching
    values = {
        "switching_rate": (SAMPLERS["switching_rate"][0], percent(measured.switching_rate)),
        "chain_disagreement": (SAMPLERS["chain_disagreement"][0],
                               fixed(2)(measured.chain_disagreement)),
        "modes_visited": ("Labellings visited", fixed(0)(measured.modes_visited)),
        "relative_entropy": ("Entropy of the labellings", fixed(2)(measured.relative_entropy)),
        "first_passage": ("Draws to a second labelling", fixed(0)(measured.first_passage.min())),
        "gap_mass": (SAMPLERS["gap_mass"][0], percent(measured.gap_mass)),
    }  # fmt: skip
    lines = measured.interpretation()
    rows = [Row(name, "", [value, lines[key]]) for key, (name, value) in values.items()]
    note = "Of the raw draws. A labelling is the order of the means; entropy 1 is uniform over all."
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


def _measured(found: DrawsDiagnosis) -> dict[tuple[str, str, int], dict[str, float]]:
    """Measures by labels, quantity and component."""
    records = found.table.to_dict("records")
    return {(row["labels"], row["quantity"], row["component"]): row for row in records}


def _quantities(found: DrawsDiagnosis) -> dict[tuple[str, int], str]:
    """The quantities that vary, and what they are called in the draws."""
    called = dict(zip(("w", "mu", "sigma"), found.names, strict=True))
    called["w"] = called["w"] or "weight"
    keys = dict.fromkeys(zip(found.table["quantity"], found.table["component"], strict=True))
    return {key: f"{called[key[0]]} {key[1] + 1}" for key in keys}
