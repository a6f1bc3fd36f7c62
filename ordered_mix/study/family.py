"""Claims of one family judged together: Holm's correction for their number."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ordered_mix.study.claims import UNDECIDED, Claim, Verdict
from ordered_mix.study.confidence import CONFIDENCE, at_confidence

if TYPE_CHECKING:
    import pandas as pd

    Tables = Mapping[str, pd.DataFrame]


def judge_all(claims: Iterable[Claim], tables: Tables) -> tuple[Verdict, ...]:
    """Test every claim alone, and those with an interval once more within their family.

    Parameters
    ----------
    claims : iterable of Claim
    tables : mapping of str to DataFrame
        Rows of finished cells of each experiment.

    Returns
    -------
    tuple of Verdict
        In the order of the claims. `Verdict.after_holm` is None for what is deterministic and for
        what has no effect.

    Notes
    -----
    Holm 1979, Scandinavian Journal of Statistics 6, 65-70: of m verdicts those are kept that
    intervals of confidence 1 - 0.05 / m decide; if there are r, the others are tried with
    0.05 / (m - r), until none is added. The chance that any verdict of the family that is kept is
    wrong is at most 5%.
    """
    verdicts = [judge_one(claim, tables) for claim in claims]
    families: dict[str, list[int]] = defaultdict(list)
    for place, verdict in enumerate(verdicts):
        if verdict.effect is not None and verdict.effect.reach is None:
            families[verdict.claim.family].append(place)
    for places in families.values():
        kept = _kept([verdicts[place] for place in places], tables)
        for place, outcome in zip(places, kept, strict=True):
            verdicts[place] = replace(verdicts[place], after_holm=outcome)
    return tuple(verdicts)


def judge_one(claim: Claim, tables: Tables) -> Verdict:
    """Test a claim on the tables of the experiments that it takes."""
    return claim.judge(*(tables[name] for name in claim.of or tables))


def _kept(family: Sequence[Verdict], tables: Tables) -> list[str]:
    outcomes = [UNDECIDED] * len(family)
    # a wider interval decides nothing that the narrower one leaves open
    open_ = [i for i, verdict in enumerate(family) if verdict.outcome != UNDECIDED]
    tests, before = len(family), 0
    while open_ and tests != before:
        before = tests
        with at_confidence(1 - (1 - CONFIDENCE) / tests):
            again = {i: judge_one(family[i].claim, tables).outcome for i in open_}
        for i, outcome in again.items():
            if outcome == family[i].outcome:
                outcomes[i] = outcome
                open_.remove(i)
                tests -= 1
    return outcomes
