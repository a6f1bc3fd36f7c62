"""Simulation-based calibration under the adaptive prior, for the reference that the tests read.

``python tools/calibrate_adaptive.py OUT.csv [SIMULATIONS]`` writes one row for each simulation of
each parameterization of the calibration study, the study's own but for the prior. Rows that are in
the file are kept: an interrupted run goes on where it was. The parameterizations take turns, so
that a part of the file has as many of each.
"""

from __future__ import annotations

import csv
import sys
import warnings
from pathlib import Path

from ordered_mix.parameterization import catalog
from ordered_mix.prior import Prior
from ordered_mix.study import seed_of

PRIOR = Prior(location=0.0, spread=2.0, scale=1.0, scale_family="adaptive")
POINTS = 50
BATCH = 25


def main(out: Path, simulations: int) -> None:
    """Write what is missing."""
    warnings.simplefilter("ignore")
    study = catalog.module("calibration", "study")
    ranks = [f"rank_{name}" for name in (*study.QUANTITIES, "raw_mu_1")]
    columns = ["parameterization", "number", *ranks, "attempts", "divergences", "ess", "rhat"]
    done = set()
    if out.exists():
        with out.open(newline="") as file:
            done = {(row["parameterization"], int(row["number"])) for row in csv.DictReader(file)}
    with out.open("a", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="", extrasaction="ignore")
        if not done:
            writer.writeheader()
        for first in range(0, simulations, BATCH):
            for label in study.MAIN:
                model = catalog.parameterization(label, 2, PRIOR)
                seed = seed_of("adaptive truths", label=label) % 2**31
                truths = model.draw_prior(simulations, seed)
                for number in range(first, min(first + BATCH, simulations)):
                    if (label, number) not in done:
                        seed = seed_of("adaptive", label=label, number=number)
                        row = study.ranked(model, truths[number], POINTS, "nutpie", seed)
                        writer.writerow({"parameterization": label, "number": number, **row})
                file.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1000)
