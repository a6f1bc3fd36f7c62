"""How many components: the evidence and the criteria of each number, and what is supported."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ordered_mix.data import Data
from ordered_mix.draws.components import PRIORS, posterior_components
from ordered_mix.draws.evidence import Evidence
from ordered_mix.draws.predictive import predictive
from ordered_mix.files.results import ResultFolder
from ordered_mix.fitted.evidence import Estimated, estimate, method_for
from ordered_mix.fitted.maximum import criteria_by_components
from ordered_mix.fitted.questions import warnings_of_evidence
from ordered_mix.fitted.verdict import GOOD, UNDECIDED, Verdict, listed
from ordered_mix.prior import Prior

PLAUSIBLE = 0.05
CRITERIA = {"bic": "BIC", "sbic": "sBIC", "icl": "ICL"}
ELPD = {"elpd_loo": "LOO", "elpd_waic": "WAIC"}


@dataclass(frozen=True, eq=False)
class Several:
    """Numbers of components side by side, on the same data under the same prior.

    Attributes
    ----------
    table : DataFrame
        One row for each: components, log_likelihood (the maximum), bic, sbic, icl (smaller is
        better), log_evidence with log_evidence_se, probability with probability_se, elpd_loo and
        elpd_waic with their standard errors, and evidence_warning, what to beware of. NaN where EM
        has no maximum, and for the evidence where the warning says why.
    prior_components : str
        Prior over the number of components, of `draws.components.PRIORS`.
    """

    table: pd.DataFrame
    prior_components: str

    @property
    def range(self) -> tuple[int, int]:
        """The smallest and the largest number."""
        return int(self.table["components"].min()), int(self.table["components"].max())

    @property
    def best(self) -> int:
        """The most probable number; of smallest BIC where the evidence is not known."""
        known = self.table["probability"].notna().all()
        values = self.table["probability"] if known else -self.table["bic"]
        row = values.idxmax() if values.notna().any() else 0
        return int(self.table["components"][row])

    @property
    def preferred(self) -> dict[str, int]:
        """The number that each criterion prefers."""
        rows = self.table.set_index("components")
        found = {}
        if rows["probability"].notna().all():
            found["evidence"] = int(rows["probability"].idxmax())
        for names, sign in ((ELPD, 1), (CRITERIA, -1)):
            for name, words in names.items():
                if rows[name].notna().any():
                    found[words] = int((sign * rows[name]).idxmax())
        return found


def several(
    data: Data,
    prior: Prior,
    smallest: int,
    largest: int,
    *,
    seed: int = 1,
    prior_components: str = "uniform",
    cores: int = 1,
    folder: ResultFolder | None = None,
    progress: Callable[[str], None] = lambda stage: None,
) -> Several:
    """Fit every number of components by EM, and estimate its evidence.

    LOO and WAIC are of the draws that give the evidence (`fitted.evidence.estimate`).

    Parameters
    ----------
    data : Data
        One sample.
    prior : Prior
        In the units of the data.
    smallest, largest : int
    seed : int
    prior_components : {"uniform", "poisson", "beta_negative_binomial"}
        Prior over the number of components.
    cores : int
        Islands or chains sampled at the same time; the numbers do not depend on it.
    folder : ResultFolder, optional
        What is known of a number of components is kept there and taken from there.
    progress : callable
        Called with the name of each stage before it begins.
    """
    progress(f"EM from many starts, K = 1 to {largest}")
    found = criteria_by_components(data, largest, seed)[smallest - 1 :]
    table = pd.DataFrame({"components": range(smallest, largest + 1)})
    table = table.join(pd.DataFrame([row for _, row in found]))
    rows = []
    for k, (maximum, _) in enumerate(found, start=smallest):
        row = _kept(folder, k)
        if row is None:
            progress(f"{method_for(data)}, K = {k}")
            row = _row(data, estimate(data, prior, k, seed, maximum.mixture, cores))
            _keep(folder, k, row)
        rows.append(row)
    return Several(with_probability(table.join(pd.DataFrame(rows)), prior_components),
                   prior_components)  # fmt: skip


def _kept(folder: ResultFolder | None, k: int) -> dict[str, Any] | None:
    """What an interrupted run left of this number of components."""
    name = f"components-{k}.json"
    if folder is None or name not in folder:
        return None
    return json.loads((folder.path / name).read_text(encoding="utf-8"))


def _keep(folder: ResultFolder | None, k: int, row: Mapping[str, Any]) -> None:
    if folder is not None:
        text = json.dumps(row)
        folder.write(f"components-{k}.json", lambda path: path.write_text(text, encoding="utf-8"))


def with_probability(table: pd.DataFrame, prior_components: str) -> pd.DataFrame:
    """The table with the posterior over the number of components, NaN unless all are known."""
    if table["log_evidence"].isna().any():
        return table.assign(probability=np.nan, probability_se=np.nan)
    columns = table[["components", "log_evidence", "log_evidence_se"]]
    evidences = {int(k): Evidence(value, error, "") for k, value, error in columns.to_numpy()}
    posterior = posterior_components(evidences, prior_components)
    shares = {"probability": posterior["posterior"], "probability_se": posterior["posterior_error"]}
    return table.assign(**shares)


def _row(data: Data, found: Estimated) -> dict[str, Any]:
    """The evidence, and LOO and WAIC of the same draws."""
    row: dict[str, Any] = {
        "log_evidence": found.evidence.log_evidence,
        "log_evidence_se": found.evidence.standard_error,
        "evidence_warning": found.evidence.warning,
    }
    if found.draws is None:
        names = (column for name in ELPD for column in (name, f"{name}_se"))
        return row | dict.fromkeys(names, np.nan)
    both = predictive(data.y, found.draws)
    for name, elpd in (("elpd_loo", both.loo), ("elpd_waic", both.waic)):
        row |= {name: float(elpd.elpd), f"{name}_se": float(elpd.se)}
    return row


def check_prior_components(name: str) -> None:
    """Raise a ValueError if there is no such prior over the number of components."""
    if name not in PRIORS:
        raise ValueError(f"prior_components must be one of {', '.join(PRIORS)}, got {name!r}")


def how_many(found: Several) -> Verdict:
    """What is supported, and what is not."""
    low, high = found.range
    preferred = found.preferred
    best, question = found.best, "How many components?"
    told = ", ".join(f"{name} {k}" for name, k in preferred.items())
    reason = f"Preferred among K = {low} to {high}: {told}."
    values: dict[str, Any] = {"preferred": preferred, "chosen": best}
    agree = len(set(preferred.values())) == 1
    warned = warnings_of_evidence(found.table)
    reason += warned
    if "evidence" not in preferred:
        answer = f"{best}, by BIC{'' if agree else '; the criteria differ'}."
        return Verdict("components", UNDECIDED, question, answer, reason, "", values)
    rows = found.table.set_index("components")
    share = rows["probability"].sort_values(ascending=False)
    plausible = [int(k) for k, value in share.items() if value >= PLAUSIBLE]
    errors = rows["log_evidence_se"]
    given = ", ".join(f"{value:.1%} for K = {k}" for k, value in share.items() if value >= 0.001)
    reason = (
        f"Probability {given}, by evidence under a {found.prior_components.replace('_', ' ')} "
        f"prior over K (standard errors of the log evidence up to {errors.max():.2f}). {reason}"
    )
    if high in plausible and len(rows) > 1:
        reason += f" K = {high} is the largest looked at: more may be supported, too."
    values |= {"probability": {int(k): float(v) for k, v in share.items()}}
    if len(plausible) == 1 and not warned:
        rest = 1 - float(share.iloc[0])
        answer = f"{best}; all others together have a probability of {rest:.1%}."
        clause = f"{best} component{'' if best == 1 else 's'} supported by the evidence"
        status = GOOD if agree else UNDECIDED
        return Verdict("components", status, question, answer, reason, clause, values)
    if len(plausible) == 1:
        answer = f"{best}, but not every evidence is to be trusted."
        clause = f"{best} components by an evidence that is not to be trusted"
        return Verdict("components", UNDECIDED, question, answer, reason, clause, values)
    names = listed([str(k) for k in sorted(plausible)])
    answer = f"The data do not decide between {names}; {best} is the most probable."
    clause = f"the data do not decide between {names} components"
    return Verdict("components", UNDECIDED, question, answer, reason, clause, values)
