"""The study of Appendix D: its smoke size, its verdicts, and its effects on constructed tables."""

import numpy as np
import pandas as pd
import pytest
from inprocess import result_of, run_here

from ordered_mix.parameterization import catalog

MODULE = catalog.module("appendix_d", "study")
CLAIMS = {claim.name: claim for claim in MODULE.CLAIMS}


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    return run_here(MODULE.study, tmp_path_factory.mktemp("appendix"))


def test_verdicts_at_smoke_size(result):
    assert not len(result.failures) and not len(result.skipped)
    verdicts = {verdict.claim.name: verdict for verdict in result.verdicts}
    assert {name: verdict.outcome for name, verdict in verdicts.items()} == {
        "printed expansion is of third order": "fails",
        "corrected expansion is of third order": "holds",
        "expansion describes Figure 1": "fails",
        "printed flow moves with the data": "fails",
    }
    effect = {name: verdict.effect.estimate for name, verdict in verdicts.items()}
    assert effect["printed expansion is of third order"] == pytest.approx(2, abs=0.05)
    assert effect["corrected expansion is of third order"] == pytest.approx(3, abs=0.05)
    for draw in MODULE.study.figures.values():
        assert draw(result).axes and draw(result_of(MODULE.study, {})).axes


def test_printed_and_corrected_expansions_differ_in_the_weight_only_at_equal_weights(result):
    rows = result.tables["expansion"]
    for weight, part in rows.groupby("weight"):
        printed, corrected = (
            part[part["form"] == form].set_index("u") for form in ("printed", "corrected")
        )
        same = np.allclose(printed["error_u"], corrected["error_u"], rtol=1e-6, atol=0)
        assert same == (weight == 0.5)
        assert not np.allclose(printed["error_v"], corrected["error_v"], rtol=0.01, atol=0)


def test_the_printed_flow_of_original_coordinates_moves_with_the_data(result):
    rows = result.tables["printed"]
    flows = {
        key: part[["slope1", "slope2"]].to_numpy()
        for key, part in rows.groupby(["coordinates", "mean"])
    }
    np.testing.assert_allclose(flows["unordered", 20.0], flows["unordered", 0.0], atol=1e-9)
    assert not np.allclose(flows["relative", 20.0], flows["relative", 0.0], rtol=0.5)


@pytest.mark.parametrize(("error", "outcome"), [(0.05, "holds"), (0.2, "fails")])
def test_the_truncation_is_judged_by_its_relative_error(error, outcome):
    rows = [{"plane": plane, "form": form, "mu1": a, "mu2": b, "slope1": size, "slope2": -size}
            for plane in MODULE.PAPER_PLANES for a in range(5) for b in range(5)
            for form, size in (("exact", 1.0), ("printed", 1 + error))]  # fmt: skip
    verdict = CLAIMS["expansion describes Figure 1"].judge(pd.DataFrame(rows))
    assert verdict.outcome == outcome and verdict.effect.estimate == pytest.approx(error)
