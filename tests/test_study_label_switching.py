"""Label switching: its smoke size, its claims on tables with known answers, and its map."""

import itertools

import numpy as np
import pandas as pd
import pytest
from inprocess import run_here

from ordered_mix.data import Data, shipped
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization.catalog import module, names, split
from ordered_mix.prior import Prior
from ordered_mix.study.result import StudyResult

file = module("label_switching", "study")
study = file.study
CLAIMS = {claim.name: claim for claim in study.claims}


# --- a world in which every claim holds, and one in which every claim fails -----------------------


def world(holds=True, replicates=20):
    """A table in which all that differs between runs is known, up to a little noise."""
    simulated = itertools.product(
        ["simulated"], file.SEPARATIONS, [50, 200], [0.5], file.SAMPLED,
        [file.DIAGONAL, file.LOW_RANK, file.PYMC, file.REFERENCE], range(replicates),
    )  # fmt: skip
    large = itertools.product(
        ["simulated"], [3.0, 8.0], [1000], [0.5], file.SAMPLED, [file.DIAGONAL], range(120)
    )
    real = itertools.product(
        shipped(), [None], [None], [None], file.SAMPLED, [file.DIAGONAL], range(3)
    )
    names = ("data", "separation", "n", "weight", "parameterization", "sampler", "replicate")
    table = pd.DataFrame([*simulated, *large, *real], columns=names)
    reference = (table["sampler"] == file.REFERENCE) & (table["parameterization"] != "signed")
    table = table[~reference].astype({"separation": float, "n": float, "weight": float})
    return table.reset_index(drop=True).pipe(fill, holds)


def fill(table, holds):
    rng = np.random.default_rng(5)
    name, close = table["parameterization"], table["separation"] <= 1.5
    bounded, low_rank = name.isin(file.BOUNDED), table["sampler"] == file.LOW_RANK
    relative = name == (file.LOG if holds else "centred")
    ess = 200 * np.where(bounded & close, 0.5 if holds else 1.5, 1.0)
    ess = ess * np.where(~close & bounded, 0.8 if holds else 1.2, 1.0)
    ess = ess * np.where(~close & relative, 0.97 if holds else 0.5, 1.0)
    ess = ess * np.where(low_rank, 3.0 if holds else 1.2, 1.0)
    ess = ess * np.exp(0.02 * rng.normal(size=len(table)))
    apart = (name == "unordered") & (table["separation"] >= 3)
    apart |= (name == "ordered") & (not holds) & (rng.random(len(table)) < 0.5)
    apart &= holds | (name != "unordered") | (table["replicate"] % 5 == 0)
    passes = np.where((name == file.LOG) & (not holds), 15_000, 10_000)
    shift = 0.1 if holds else 0.7
    error = np.where(table["sampler"] == file.REFERENCE, 0.0, shift) * rng.choice(
        [-1, 1], len(table)
    )
    values = {
        "raw_rhat": np.where(apart, 1.7, 1.01), "raw_ess": ess, "rhat": 1.005, "ess": ess,
        "tail_ess": ess, "passes": passes, "warmup_passes": 8_000,
        "switching_rate": 0.01 * (name == "unordered"), "chain_disagreement": 0.0,
        "gap_mass": 0.05,
        "divergent_gap_mass": np.where(bounded & close, 0.5 if holds else 0.0, np.nan),
        "divergences_per_1000": np.where(bounded & close, 10.0 if holds else 0.1, 0.0),
        "coverage": np.where(rng.random(len(table)) < 0.5, 0.8, 1.0 if holds else 0.8),
    }  # fmt: skip
    for quantity in file.QUANTITIES:
        values |= {f"mean_{quantity}": 1 + 0.2 * error, f"sd_{quantity}": 0.2}
    return table.assign(**values)


@pytest.fixture(scope="module")
def tables():
    return {"holds": world(True), "fails": world(False)}


CURES = [f"order cures label switching, weight {weight}" for weight in (0.5, 0.1)]
SORTING = ["sorting cures label switching", "sorting cures more than order"]


def test_what_cures_label_switching(tables):
    table = tables["holds"].copy()
    odd = (table["separation"] >= 3) & (table["replicate"] % 2 == 1)
    table.loc[odd & (table["parameterization"] == "ordered"), "raw_rhat"] = 1.7

    def outcomes(rows):
        found = {name: CLAIMS[name].judge(rows) for name in (*CURES, *SORTING)}
        assert all(one.effect is not None for one in found.values())
        return [one.outcome for one in found.values()]

    rare = table[table["data"] == "simulated"].assign(weight=0.1)
    both = pd.concat([tables["holds"], rare])
    assert outcomes(both) == ["holds", "fails", "holds", "holds"]
    both.loc[(both["separation"] >= 3) & (both["parameterization"] == "unordered"), "rhat"] = 1.2
    assert outcomes(both) == ["holds", "fails", "fails", "fails"]


@pytest.mark.parametrize("name", [name for name in CLAIMS if name not in (*CURES, *SORTING)])
@pytest.mark.parametrize("outcome", ["holds", "fails"])
def test_every_claim_can_hold_and_fail(tables, name, outcome):
    verdict = CLAIMS[name].judge(tables[outcome])
    assert verdict.outcome == outcome, verdict.reason
    assert verdict.effect.observations > 1


def test_effects_are_the_numbers_put_in(tables):
    def effect(name):
        return CLAIMS[name].judge(tables["holds"]).effect

    assert effect("sorting afterwards is as good").estimate == pytest.approx(1 / 0.8, rel=0.03)
    assert effect("log gaps lose where components overlap").estimate == pytest.approx(0.5, rel=0.03)
    assert effect("a low-rank mass matrix doubles the ESS").estimate == pytest.approx(3, rel=0.02)
    assert effect("log gaps diverge where components overlap")[:3] == pytest.approx((10, 10, 10))
    assert effect("divergences lie at gap -> 0").estimate == pytest.approx(0.45)
    assert effect("centred beats relative").estimate == pytest.approx(1 / 0.97, rel=0.01)
    assert effect("without order chains disagree").estimate == 1
    fails = CLAIMS["without order chains disagree"].judge(tables["fails"]).effect
    assert fails.estimate == pytest.approx(0.2)


def test_the_least_favourable_separation_decides():
    table = world(True)
    at = (table["separation"] == 2.0) & (table["parameterization"] == "unordered")
    table.loc[at, "ess"] *= 0.6
    verdict = CLAIMS["sorting afterwards is as good"].judge(table)
    assert verdict.outcome == "fails"
    assert verdict.effect.estimate == pytest.approx(0.6 / 0.8, rel=0.05)


@pytest.mark.parametrize(
    "name",
    [
        "without order chains disagree", "order cures label switching", "ordered is relative",
        "sorting afterwards is as good", "log gaps lose where components overlap",
    ],
)  # fmt: skip
def test_a_failed_run_is_not_dropped_in_silence(tables, name):
    table = tables["holds"]
    gone = (table["sampler"] == file.DIAGONAL) & (table["n"] == 200) & (table["replicate"] == 7)
    parts = [
        (table["separation"] == at) & (table["parameterization"] == "ordered") for at in (1, 4)
    ]
    verdict = CLAIMS[name].judge(table[~(gone & (parts[0] | parts[1]))])
    assert verdict.outcome == "undecided"
    assert verdict.effect is None
    assert "have no" in verdict.reason or "are not" in verdict.reason


def test_an_error_counts_only_next_to_a_converged_reference(tables):
    table = tables["fails"].copy()
    rows = file.errors(table)
    assert rows["error"].to_numpy() == pytest.approx(0.7)
    table.loc[table["sampler"] == file.REFERENCE, "rhat"] = 1.02
    assert file.errors(table).empty
    assert CLAIMS["agreeing chains are right"].judge(table).outcome == "undecided"


# --- the map --------------------------------------------------------------------------------------


def setting(replicates=20, noise=0.1, **ess):
    """Runs in one setting with these levels of ESS per pass."""
    rng = np.random.default_rng(1)
    rows = [
        {"replicate": i, "parameterization": name, "ess_per_pass": level * np.exp(noise * z),
         "agrees": True}
        for name, level in ess.items()
        for i, z in enumerate(rng.normal(size=replicates))
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_a_winner_needs_its_interval_and_twenty_data_sets():
    clear = file.contest(setting(ordered=1.0, unordered=2.0))
    assert (clear.best, clear.outcome, clear.rivals) == ("unordered", "wins", ())
    assert clear.share["ordered"] == pytest.approx(0.5, rel=0.2)
    close = file.contest(setting(noise=1.0, ordered=1.0, unordered=1.05, signed=0.01))
    assert close.outcome == "ties"
    assert {close.best, *close.rivals} == {"ordered", "unordered"}
    assert file.contest(setting(19, ordered=1.0, unordered=2.0)).outcome == "open"


def test_what_does_not_converge_cannot_win():
    rows = setting(ordered=1.0, unordered=2.0)
    lost = (rows["parameterization"] == "unordered") & (rows["replicate"] < 3)
    found = file.contest(rows.assign(agrees=~lost))
    assert (found.best, found.outcome) == ("ordered", "wins")
    assert found.agree == {"ordered": True, "unordered": False}
    assert found.share["unordered"] == pytest.approx(2, rel=0.2)
    none = file.contest(rows.assign(agrees=False))
    assert (none.best, none.outcome) == (None, "none")
    assert max(none.share.values()) == 1


def test_what_lacks_a_run_cannot_win():
    rows = setting(ordered=1.0, unordered=2.0)
    found = file.contest(rows[~((rows["parameterization"] == "unordered") & (rows.index == 25))])
    assert found.best == "ordered"
    assert np.isnan(found.share["unordered"])
    neither = file.contest(rows[~rows.index.isin([5, 27])])
    assert (neither.best, neither.outcome) == (None, "none")


def test_the_map_has_every_setting(tables):
    found = file.contests(tables["holds"])
    assert len(found) == 2 * 2 * len(file.SEPARATIONS) + 2
    assert found[file.DIAGONAL, 0.5, 200, 0.2].best not in file.BOUNDED


# --- cells ----------------------------------------------------------------------------------------


def test_parameterizations_share_data_and_starts_differ_in_seeds():
    cells = study.cells("smoke")
    assert len({cell.seed for cell in cells}) == len(cells)
    one, truth = file._data("simulated", 3.0, 50, 0.3, 1)
    two, _ = file._data("simulated", 3.0, 50, 0.3, 1)
    other, _ = file._data("simulated", 3.0, 50, 0.3, 2)
    assert np.array_equal(one.y, two.y) and not np.array_equal(one.y, other.y)
    assert truth.w.tolist() == [0.3, 0.7] and truth.mu.tolist() == [-1.5, 1.5]
    assert file._data("simulated", 0.0, 50, 0.5, 1)[1] is None
    assert file._data("galaxies", None, None, None, 1)[0].n == 82


def test_combinations_without_meaning_are_skipped_with_the_reason():
    known = {"parameterization": "ordered", "sampler": file.DIAGONAL, "replicate": 0}
    simulated = {"data": "simulated", "separation": 1.0, "n": 50, "weight": 0.5}
    real = {"data": "acidity", "separation": None, "n": None, "weight": None}
    assert study.skip(**known, **simulated) is None
    assert study.skip(**known, **real) is None
    assert "simulated data need" in study.skip(**known, **simulated | {"n": None})
    assert "those of simulated data" in study.skip(**known, **real | {"n": 50})
    identity = {**known, **simulated, "parameterization": file.IDENTITY}
    assert "NUTS cannot" in study.skip(**identity)
    assert "signed coordinates" in study.skip(**{**known, **simulated, "sampler": file.REFERENCE})


def test_sizes_hold_what_the_question_names():
    cells = [cell.factors for cell in study.cells("laptop")]
    main = [c for c in cells if c["sampler"] == file.DIAGONAL and c["data"] == "simulated"]
    assert {c["parameterization"] for c in main} == set(file.PARAMETERIZATIONS)
    assert {split(label)[0] for label in file.PARAMETERIZATIONS} == set(names())
    assert len(main) == len(file.PARAMETERIZATIONS) * 9 * (3 * 3 * 5 + 15)
    assert {c["data"] for c in cells} == {"simulated", *shipped()}
    six = {(c["parameterization"], c["separation"]) for c in cells if c["sampler"] == file.PYMC}
    assert len(six) == 6


def test_coverage_is_up_to_relabelling():
    rng = np.random.default_rng(2)
    truth = Mixture([0.3, 0.7], [-1.0, 2.0], [1.0, 0.5])
    around = [0.05 * rng.normal(size=(4, 100, 2)) for _ in range(2)]
    w = 0.3 + 0.01 * rng.normal(size=(4, 100))
    mixture = Mixture(np.stack([w, 1 - w], -1), truth.mu + around[0], truth.sigma + around[1])
    swapped = mixture.permute([1, 0])
    assert file._coverage(mixture, truth) == file._coverage(swapped, truth) == 1
    far = Mixture(truth.w, truth.mu + np.array([0.0, 1.0]), truth.sigma)
    assert file._coverage(mixture, far) == 0.8


# --- from end to end ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    return run_here(study, tmp_path_factory.mktemp("smoke"))


def test_smoke_size_gives_verdicts_and_findings(smoke):
    assert smoke.failures.empty
    assert len(smoke.table) == 12
    for verdict in smoke.verdicts:
        assert verdict.effect is not None or "gives no effect size" in verdict.reason
        if verdict.effect is not None:
            assert np.isfinite(verdict.effect[:3]).all()
    text = study.findings(smoke)
    assert text.startswith("12 runs on 4 simulated and 1 real data sets.")
    assert "acidity" in text and "nan" not in text
    table = smoke.table.set_index("parameterization")
    assert (table.loc["ordered", "switching_rate"] == 0).all()
    assert (table["ess"] > 4).all() and (table["passes"] > 2000).all()


def test_findings_follow_the_verdicts(tables, tmp_path):
    texts = {}
    for outcome, table in tables.items():
        rows = table.assign(seed=0, status="done", error="")
        verdicts = tuple(claim.judge(table) for claim in study.claims)
        texts[outcome] = study.findings(StudyResult(study, tmp_path, rows, verdicts))
    assert "is as good at every separation" in texts["holds"]
    assert "every log gap loses: the best of them has 0.50 [" in texts["holds"]
    assert "is not as good everywhere" in texts["fails"]
    assert "not every log gap loses" in texts["fails"]
    assert "Best by separation at n = 200" in texts["holds"]


def test_ordered_and_a_log_gap_are_one_geometry():
    ordered, relative = map(file._parameterization, ("ordered", file.LOG))
    rng = np.random.default_rng(4)
    data = Data(rng.normal(size=30))
    mixtures = Mixture(
        rng.dirichlet([2, 2], 20),
        rng.normal(size=(20, 2)).cumsum(1) ** 2,
        rng.gamma(4, 0.2, (20, 2)),
    ).sorted()
    assert ordered.prior == relative.prior == Prior()
    first, second = (p.log_posterior(p.unconstrain(mixtures), data)[0] for p in (ordered, relative))
    np.testing.assert_allclose(first, second, rtol=1e-10)
    steps = [np.sort(p.unconstrain(mixtures), axis=-1) for p in (ordered, relative)]
    np.testing.assert_allclose(*steps, rtol=1e-10)
