"""Ranks of simulated truths under the adaptive prior, as `tools/calibrate_adaptive.py` made them.

They are read, not drawn anew: whoever changes the prior or a parameterization makes them again.
"""

from pathlib import Path

import pandas as pd
import pytest

from ordered_mix.parameterization import catalog
from ordered_mix.theory.calibration import largest_difference, reach

STUDY = catalog.module("calibration", "study")
FILE = Path(__file__).parent / "reference" / "calibration_adaptive.csv.gz"
MISSED = 0.05  # probability that all bounds of a test hold is 1 - MISSED if the ranks are uniform


@pytest.fixture(scope="module")
def ranks():
    return pd.read_csv(FILE)


def test_every_parameterization_has_as_many_simulations(ranks):
    counts = ranks["parameterization"].value_counts()
    assert set(counts.index) == set(STUDY.MAIN) and counts.nunique() == 1
    assert not ranks.duplicated(["parameterization", "number"]).any()
    assert ranks.filter(like="rank_").stack().between(0, STUDY.RANKS).all()


@pytest.mark.parametrize("label", STUDY.MAIN)
def test_ranks_are_uniform_in_every_parameterization(ranks, label):
    own = ranks[ranks["parameterization"] == label]
    limit = reach(len(own), MISSED / len(STUDY.QUANTITIES) / len(STUDY.MAIN))
    for name in STUDY.QUANTITIES:
        assert largest_difference(own[f"rank_{name}"], STUDY.RANKS) < limit, name


def test_ranks_of_all_together_are_uniform(ranks):
    """The prior is one and the same: a wrong constant in its density moves all of them."""
    limit = reach(len(ranks), MISSED / len(STUDY.QUANTITIES))
    assert limit < STUDY.MARGIN
    for name in STUDY.QUANTITIES:
        assert largest_difference(ranks[f"rank_{name}"], STUDY.RANKS) < limit, name
