"""The report of draws that someone else made: which figures, tables and words it holds."""

from __future__ import annotations

import shlex
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from ordered_mix.compare.diagnosis import DrawsDiagnosis
from ordered_mix.data import Data
from ordered_mix.files.results import digest
from ordered_mix.report.contents import Message, Report, Section
from ordered_mix.report.figures import fit, labels, means, partition
from ordered_mix.report.figures.chains import Chains, chains_of_draws
from ordered_mix.report.figures.style import FURTHER, Drawing
from ordered_mix.report.tables import of_draws
from ordered_mix.report.tables.table import Table, percent
from ordered_mix.report.words import OF_COMPARISONS, OF_DATA, data_in_words, glossary, versions

OPTIONS = ("mu", "sigma", "weights", "tau", "chol", "cov", "parameters", "responsibilities",
           "log_likelihood", "likelihood", "allocations", "dims", "order")  # fmt: skip


class DiagnosisReport(Report):
    """Label switching, convergence and criteria of one set of draws.

    Parameters
    ----------
    found : DrawsDiagnosis
    """

    kind = "Mixture, draws diagnosed"
    about = "draws diagnosed"
    files = (
        "All numbers are in table.parquet and table.csv, the relabelled draws in relabelled.nc,"
        " beside this file."
    )

    def __init__(self, found: DrawsDiagnosis) -> None:
        self.found = found
        self.name = found.name
        (chains, draws), k = found.shape, found.k
        points = "data not known" if found.y is None else f"n = {len(found.y):,} points"
        plural, several = "s" if k > 1 else "", "s" if chains > 1 else ""
        self.size = (
            f"{chains} chain{several} of {draws:,} draws, K = {k} component{plural}, {points}"
        )
        self.verdicts = found.verdicts

    @cached_property
    def chains(self) -> Chains:
        """The draws, raw and relabelled."""
        return chains_of_draws(self.found, FURTHER[2])

    @property
    def message(self) -> Message | None:
        """What ArviZ says of the relabelled draws."""
        if self.found.arviz is None:
            return None
        return Message(
            "ArviZ's own diagnosis",
            "Of the relabelled draws, in ArviZ's words.",
            self.found.arviz.text or "No message.",
        )

    def picture(self) -> Drawing:
        """The density of the draws, over the data if they are known and vary, or the traces."""
        if self.found.mixture is None:
            return self._traces()
        y = self.found.y
        data = None if y is None or np.ptp(y) == 0 else Data(y)
        return fit.density(self.chains, data.name if data else self._unit("mu"), data)

    def sections(self) -> list[Section]:
        """The labels, neighbouring means, the density, and the partition."""
        found = self.found
        drawings, title = [self._traces()], "Labels, raw beside relabelled"
        if found.mixture is None or found.k == 1:
            title = "Chains" if found.k == 1 else title
        elif found.quantity == found.relabelled.known.means:
            pairs = means.pairs(self.chains, self._unit("mu"), means.limits([self.chains]))
            drawings.append(replace(pairs, title="Neighbouring means"))
        sections = [Section(title, drawings)]
        if found.mixture is not None:
            sections.append(Section("The fit", [self.picture()]))
        shared = partition.co_clustering(found)
        return sections + ([Section("The partition", [shared])] if shared is not None else [])

    def _traces(self) -> Drawing:
        drawn = labels.labels(self.chains, self.found.quantity)
        return replace(drawn, title="Traces and ranks")

    def _unit(self, role: str) -> str:
        named = self.found.relabelled.known.named
        return named[role].name if role in named else role

    def tables(self) -> list[Table]:
        """Convergence, estimates, label switching and criteria."""
        return of_draws.tables(self.found)

    def setup(self) -> list[tuple[str, str]]:
        """How the draws were read and relabelled."""
        found = self.found
        attributes = found.tree["posterior"].attrs if "posterior" in found.tree.children else {}
        sampler = " ".join(
            str(attributes[name])
            for name in ("inference_library", "inference_library_version")
            if name in attributes
        )
        terms = [
            ("Draws", f"{found.name}, {self.size}"),
            ("SHA-256 of the draws", sha256_of(found)),
            ("Sampled by", sampler),
            ("Variables", _variables(found)),
            ("Relabelled", _relabelled(found)),
        ]
        if found.y is not None:
            if found.y.ndim == 1:
                terms.append(("Data", data_in_words(Data(found.y))))
            terms.append(("SHA-256 of the data", digest(found.y)))
        terms += [("To run it again", command(found)), ("Versions", versions("arviz", "numpy"))]
        return [(term, text) for term, text in terms if text]

    def glossary(self) -> list[tuple[str, str]]:
        """The words of a diagnosis; without data, those of criteria are left out."""
        return glossary(without=OF_COMPARISONS + (OF_DATA if self.found.y is None else ()))


def sha256_of(found: DrawsDiagnosis) -> str:
    """Of the component parameters."""
    return digest(*found.relabelled.known.parameters.values())


def command(found: DrawsDiagnosis) -> str:
    """The command that makes this report, or the call where arrays were given."""
    words = ["ordered-mix", "diagnose", "DRAWS"]
    for name, value in found.asked.items():
        if name in OPTIONS and _can_be_typed(value):
            words += [f"--{name.replace('_', '-')}", _typed(value)]
    for names in found.asked.get("separate", ()):
        words += ["--separate", ",".join(names)]
    words += ["--method", found.method] if found.method != "none" else []
    if found.y is not None and "observed_data" not in found.tree.children:
        words += ["--data", "FILE.csv:column"]
    return shlex.join(words)


def _can_be_typed(value: Any) -> bool:
    parts = [value] if isinstance(value, str | int | float) else value
    return value is None or all(isinstance(part, str | int | float) for part in parts)


def _typed(value: Any) -> str:
    if value is None:
        return ""
    return str(value) if isinstance(value, str | int | float) else ",".join(map(str, value))


def _variables(found: DrawsDiagnosis) -> str:
    called = {"mu": "means", "sigma": "scales", "tau": "precisions", "weights": "weights",
              "chol": "Cholesky factors", "cov": "covariances"}  # fmt: skip
    known = found.relabelled.known
    parts = [f"{called.get(role, 'parameter')} {one.name if one.sampled else 'known'}"
             for role, one in known.named.items()]  # fmt: skip
    if "weights" not in known.named and known.w is not None:
        parts.append("weights equal")
    dims = ", ".join(found.relabelled.dims)
    return ", ".join(parts) + (f"; components along {dims}" if dims else "")


def _relabelled(found: DrawsDiagnosis) -> str:
    relabelling, effect = found.relabelled.relabelling, found.relabelled.effect
    ended = "" if relabelling.converged else "; the permutations still changed in the last round"
    changed = percent(effect.changed)
    if found.method == "none":
        return "no; the labels are as sampled"
    return f"by {found.method}, which changed the labels of {changed} of the draws{ended}"
