"""The study of spare components: what random starts find, shares of constructed tables."""

import numpy as np
import pandas as pd
import pytest

from ordered_mix.parameterization import catalog

file = catalog.module("spare_components", "study")
CLAIMS = {claim.name: claim for claim in file.CLAIMS}


def test_starts_at_the_truth_stay_and_one_component_does_not_do():
    rng = np.random.default_rng(3)
    enough, few = (pd.DataFrame(file.recovery(rng, 2, k, 8))["loss"] for k in (4, 1))
    assert (enough < file.FOUND).all() and (few > file.FOUND).all()
    assert min(enough.min(), few.min()) > -1e-9


@pytest.mark.parametrize(("good", "outcome"), [(True, "holds"), (False, "fails")])
def test_shares_of_starts(good, outcome):
    rows = []
    for true in (3, 5, 8):
        for name, fitted in file.numbers(true).items():
            hit = (name != "m") == good
            rows += [{"true": true, "fitted": fitted, "loss": 0.0 if hit else 1.0}] * 200
    table = pd.DataFrame(rows)
    for name in (
        "as many components as the truth fail",
        "m log m components suffice",
        "twice as many components suffice",
    ):
        assert CLAIMS[name].judge(table).outcome == outcome, name
