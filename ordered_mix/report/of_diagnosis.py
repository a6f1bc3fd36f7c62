"""The report of draws that someone else made: which figures, tables and words it holds."""

from __future__ import annotations

import shlex
from dataclasses import replace
from functools import cached_property

import numpy as np

from ordered_mix.compare.diagnosis import DrawsDiagnosis
from ordered_mix.data import Data
from ordered_mix.draws.relabel.tree import observed
from ordered_mix.files.results import digest
from ordered_mix.report.contents import Message, Report, Section
from ordered_mix.report.figures import fit, labels, means
from ordered_mix.report.figures.chains import Chains, chains_of_draws
from ordered_mix.report.figures.style import FURTHER, Drawing
from ordered_mix.report.tables import of_draws
from ordered_mix.report.tables.table import Table, percent
from ordered_mix.report.words import OF_COMPARISONS, OF_DATA, data_in_words, glossary, versions


class DiagnosisReport(Report):
    """Label switching, convergence and criteria of one set of draws.

    Parameters
    ----------
    found : DrawsDiagnosis
    """

    kind = "Gaussian mixture, draws diagnosed"
    about = "draws diagnosed"
    files = (
        "All numbers are in table.parquet and table.csv, the relabelled draws in relabelled.nc,"
        " beside this file."
    )

    def __init__(self, found: DrawsDiagnosis) -> None:
        self.found = found
        self.name = found.name
        (chains, draws), k = found.mixture.batch_shape, found.mixture.k
        points = "data not known" if found.y is None else f"n = {found.y.size:,} points"
        plural = "s" if k > 1 else ""
        self.size = f"{chains} chains of {draws:,} draws, K = {k} component{plural}, {points}"
        self.verdicts = found.verdicts

    @cached_property
    def chains(self) -> Chains:
        """The draws, raw and relabelled."""
        return chains_of_draws(self.found, FURTHER[2])

    @property
    def message(self) -> Message:
        """What ArviZ says of the relabelled draws."""
        return Message(
            "ArviZ's own diagnosis",
            "Of the relabelled draws, in ArviZ's words.",
            self.found.arviz.text or "No message.",
        )

    def picture(self) -> Drawing:
        """The density of the draws, over the data if they are known and vary."""
        y = self.found.y
        data = None if y is None or np.ptp(y) == 0 else Data(y)
        return fit.density(self.chains, data.name if data else self.found.names[1], data)

    def sections(self) -> list[Section]:
        """The labels, neighbouring means and the density."""
        unit = self.found.names[1]
        traces = replace(labels.labels(self.chains, unit), title="Traces and ranks")
        if self.found.mixture.k == 1:
            return [Section("Chains, and the density they imply", [traces, self.picture()])]
        pairs = means.pairs(self.chains, unit, means.limits([self.chains]))
        return [
            Section("Labels, raw beside relabelled",
                    [traces, replace(pairs, title="Neighbouring means")]),
            Section("The fit", [self.picture()]),
        ]  # fmt: skip

    def tables(self) -> list[Table]:
        """Convergence, estimates, label switching and criteria."""
        return of_draws.tables(self.found)

    def setup(self) -> list[tuple[str, str]]:
        """How the draws were read and relabelled."""
        found = self.found
        parameters = (found.mixture.w, found.mixture.mu, found.mixture.sigma)
        sampler = " ".join(
            str(found.tree["posterior"].attrs[name])
            for name in ("inference_library", "inference_library_version")
            if name in found.tree["posterior"].attrs
        )
        terms = [
            ("Draws", f"{found.name}, {self.size}"),
            ("SHA-256 of the draws", digest(*parameters)),
            ("Sampled by", sampler),
            ("Variables", _variables(found)),
            ("Relabelled", _relabelled(found)),
        ]
        if found.y is not None:
            terms += [("Data", data_in_words(Data(found.y))), ("SHA-256 of the data",
                                                               digest(found.y))]  # fmt: skip
        terms += [("To run it again", command(found)), ("Versions", versions("arviz", "numpy"))]
        return [(term, text) for term, text in terms if text]

    def glossary(self) -> list[tuple[str, str]]:
        """The words of a diagnosis; without data, those of criteria are left out."""
        return glossary(without=OF_COMPARISONS + (OF_DATA if self.found.y is None else ()))


def command(found: DrawsDiagnosis) -> str:
    """The command that makes this report."""
    weights, mu, sigma = found.names
    words = ["ordered-mix", "diagnose", "DRAWS.nc", "--mu", mu, "--sigma", sigma]
    words += ["--weights", weights or "", "--method", found.method]
    if found.y is not None and observed(found.tree) is None:
        words += ["--data", "FILE.csv:column"]
    return shlex.join(words)


def _variables(found: DrawsDiagnosis) -> str:
    weights, mu, sigma = found.names
    dims = ", ".join(found.relabelled.dims)
    return f"means {mu}, scales {sigma}, weights {weights or 'equal'}; components along {dims}"


def _relabelled(found: DrawsDiagnosis) -> str:
    relabelling = found.relabelled.relabelling
    moved = np.any(relabelling.permutation != np.arange(found.mixture.k), axis=-1).mean()
    ended = "" if relabelling.converged else "; the permutations still changed in the last round"
    return f"by {found.method}, which changed the labels of {percent(moved)} of the draws{ended}"
