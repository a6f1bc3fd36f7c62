"""The recommended fit on columns like those that people bring, against an oracle and known values.

Posterior means are compared with those of an independent Gibbs sampler of the tests, in standard
errors of both, with the share of false alarms that the suite gives a test that draws.
"""

import json
import pickle
import subprocess
import sys

import arviz
import chance
import numpy as np
import pandas as pd
import pytest
from adaptive_gibbs import gibbs
from columns_of_numbers import column
from inprocess import exit_status

from ordered_mix import fit
from ordered_mix.cli.fit import summary_of
from ordered_mix.cli.text import print_fit
from ordered_mix.data import Data, load
from ordered_mix.errors import RunError
from ordered_mix.fitted.fit import component_range
from ordered_mix.fitted.maximum import find_maximum
from ordered_mix.fitted.particular import far_values
from ordered_mix.fitted.refits import refits
from ordered_mix.prior import default_prior

LEAST_ESS = 150
COMPARED = 3
SHORT = {"draws": 500, "tune": 700}
FITTED = {}


@pytest.fixture
def fitted():
    """The fit of one column with two components, made once."""

    def get(name):
        if name not in FITTED:
            FITTED[name] = fit(column(name), 2, **SHORT)
        return FITTED[name]

    return get


def keyed(found):
    return {verdict.key: verdict for verdict in found.verdicts}


def value(found, quantity, component, of="mean"):
    table = found.estimates.set_index(["quantity", "component"])
    return table.loc[(quantity, component), of]


@pytest.mark.chance
@pytest.mark.parametrize("name", ["ten_points", "two_lines", "repeated_tens", "excess_zeros"])
def test_posterior_means_are_those_of_an_independent_sampler(fitted, name):
    """Narrow components, ties and spikes: components sorted by scale in both."""
    found, data = fitted(name), column(name)
    assert found.agreement.ess >= LEAST_ESS and found.agreement.status != "bad"
    oracle = gibbs(data.y, 2, default_prior(data), 2500, chance.rng(5))
    sweeps = oracle.permute(oracle.order("sigma"))
    draws = found.labelled.permute(found.labelled.order("sigma"))
    for quantity in ("w", "sigma"):
        for k in range(2 if quantity == "sigma" else 1):
            ours = getattr(draws, quantity)[..., k]
            theirs = getattr(sweeps, quantity)[:, k].reshape(4, -1)
            errors = [arviz.mcse(part, method="mean", chain_axis=0, draw_axis=1)
                      for part in (ours, theirs)]  # fmt: skip
            apart = ours.mean() - theirs.mean()
            limit = chance.z_for(COMPARED, LEAST_ESS) * np.hypot(*errors)
            assert abs(apart) < limit, (quantity, k, ours.mean())


def test_coinciding_means_are_told_apart_by_scale(fitted):
    """Sorted by mean the two would be averages, .0246 and .0154."""
    found = fitted("returns")
    wide, narrow = sorted((1, 2), key=lambda k: -value(found, "sigma", k))
    assert abs(value(found, "sigma", wide) - 0.0284) < 0.0042
    assert abs(value(found, "sigma", narrow) - 0.0117) < 0.0012
    assert abs(value(found, "w", wide) - 0.285) < 0.10
    assert value(found, "mu", 1) < value(found, "mu", 2)  # numbered in the order of the means


def test_a_rare_component_keeps_every_chain(fitted):
    found = fitted("rare_above")
    assert not found.agreement.stuck.any()
    assert abs(value(found, "w", 1) - 0.989) < 0.006
    assert abs(value(found, "mu", 1) - 0.05) < 0.04
    assert abs(value(found, "mu", 2, "map") - 5.6) < 0.1
    assert abs(value(found, "mu", 2) - 5.6) < 0.6


@pytest.mark.parametrize(
    ("name", "note"),
    [("repeated_tens", "10 (10 of 110)"), ("excess_zeros", "0 (86 of 300)"),
     ("one_typo", "1780 (once)")],
)  # fmt: skip
def test_the_value_in_the_way_of_em_is_named_and_the_fit_goes_on(fitted, name, note):
    found = fitted(name)
    assert found.maximum.mixture is None and "em" not in found.estimates
    assert any(note in text for text in found.notes)
    assert keyed(found)["prior"].values["nats_below_maximum"] is None
    assert keyed(found)["prior"].status == "nearly"
    assert value(found, "w", 1) + value(found, "w", 2) == pytest.approx(1)


def test_spikes_have_the_right_shares(fitted):
    zeros = fitted("excess_zeros")
    spike = min((1, 2), key=lambda k: value(zeros, "sigma", k))
    assert abs(value(zeros, "w", spike) - 0.29) < 0.03
    assert abs(value(zeros, "sigma", 3 - spike) - 7.7) < 0.4
    tens = fitted("repeated_tens")
    assert abs(value(tens, "w", 1) - 0.895) < 0.03
    assert abs(value(tens, "mu", 1) - 0.05) < 0.1 and abs(value(tens, "mu", 2) - 10) < 0.02


def test_em_alone_says_that_it_has_no_maximum():
    with pytest.raises(RunError, match=r"onto 10 \(10 of 110\); add map or nuts to --estimators"):
        fit(column("repeated_tens"), 2, estimators=("em",))


def test_a_typing_error_is_a_component_of_its_own():
    found = fit(column("one_typo"), 3, estimators=("em", "map"))
    assert abs(value(found, "mu", 1, "map") - 163) < 1.5
    assert abs(value(found, "mu", 2, "map") - 184) < 1.5
    assert "Far from all other values: 1780 (once)" in found.notes[0]
    assert found.points["y"][found.points["component"] == 3].tolist() == [1780.0]
    assert found.lone == {3: "one value, 1780"}
    verdict = keyed(found)["prior"]
    assert verdict.answer == "In part: on component 3, which holds one value, 1780."
    table = found.estimates.set_index(["quantity", "component"])
    assert table["points"].groupby("component").first().sum() == 200
    assert table.loc[("mu", 3), "points"] == 1


def test_the_terminal_marks_a_component_of_one_value(capsys):
    print_fit(summary_of(fit(column("one_typo"), 3, estimators=("em", "map"))) | {"folder": "x"})
    printed = capsys.readouterr().out
    assert "3 mean*" in printed and "2 mean " in printed
    assert "* holds less than two data points: the prior decides." in printed


def test_sentinels_are_far_values_and_ordinary_data_have_none():
    rng = np.random.default_rng(3)
    y = np.append(rng.normal(20, 3, 200), [-999.0] * 4)
    assert far_values(Data(y)) == "-999 (4 of 204)"
    assert far_values(Data(-y)) == "999 (4 of 204)"
    assert far_values(column("ten_points")) == ""
    assert far_values(Data(rng.standard_t(3, 500))) == ""
    assert far_values(Data([1.0, 2.0])) == ""


def test_truncated_data_are_noticed(fitted):
    found = keyed(fitted("masked"))["describe"]
    assert found.status == "bad" and "ks" in found.values["missed"]
    assert found.values["ks_refitted_p"] < 0.005


def test_one_component_is_enough_for_one_gaussian():
    found = fit(column("one_gaussian"), "auto", estimators=("em",))
    assert found.components == 1
    assert found.criteria.loc[0, "bic"] == pytest.approx(1355.5, abs=0.05)
    assert keyed(found)["components"].values["best"]["BIC"] == 1


def test_refits_judge_the_shape():
    """A bootstrap p-value below 0.005 where the shape is wrong, none where it is right."""
    rng = np.random.default_rng(8)
    wrong = {
        "two modes": (load("faithful:waiting"), 1),
        "heavy tails": (Data(rng.standard_t(3, 500)), 1),
        "cut off": (column("masked"), 1),
    }
    for name, (data, k) in wrong.items():
        assert min(refits(data, find_maximum(data, k).mixture)) < 0.005, name
    for name, k in (("one_gaussian", 1), ("two_lines", 2)):
        assert min(refits(column(name), find_maximum(column(name), k).mixture)) > 0.005, name


def test_ten_points_have_a_maximum():
    best = find_maximum(column("ten_points"), 2).mixture
    assert np.allclose(best.sigma, [0.0508, 0.463], atol=1e-3)


def test_what_is_returned(fitted, tmp_path):
    found = fitted("two_lines")
    assert repr(found).startswith("Fitted('two_lines', n=500, K=2, w=[0.6") and len(
        repr(found)) < 120  # fmt: skip
    summary = found.summary()
    assert list(summary.index) == ["w[1]", "mu[1]", "sigma[1]", "w[2]", "mu[2]", "sigma[2]"]
    assert {"mean", "sd", "hdi_low", "hdi_high", "ess_bulk", "em", "map"} <= set(summary.columns)
    assert (summary["hdi_low"] < summary["mean"]).all()
    assert (summary["hdi_prob"] == arviz.rcParams["stats.ci_prob"]).all()
    inside = (found.labelled.mu[..., 0] > summary.loc["mu[1]", "hdi_low"]) & (
        found.labelled.mu[..., 0] < summary.loc["mu[1]", "hdi_high"])  # fmt: skip
    assert inside.mean() == pytest.approx(0.89, abs=0.01)
    again = pickle.loads(pickle.dumps(found))
    pd.testing.assert_frame_equal(again.summary(), summary)
    proba = found.predict_proba([-2.0, 2.0])
    assert np.allclose(proba.sum(axis=1), 1) and proba[0, 0] > 0.99 > 0.01 > proba[1, 0]
    assert found.points["y"].tolist() == column("two_lines").y.tolist()
    found.save(tmp_path / "draws.nc")
    tree = arviz.from_netcdf(tmp_path / "draws.nc")
    assert tree["posterior"]["mu"].mean(["chain", "draw"]).values == pytest.approx([-2, 2], abs=0.1)
    assert tree["raw_posterior"].attrs["labelled_draws"] == "posterior"
    assert len(found.plot_fit().axes) == 1
    found.plot_posterior()
    assert found.headline.count(";") == 3


def test_numbers_of_any_container_are_one_column():
    y = column("one_gaussian").y
    frame = pd.DataFrame({"height": y})
    for given in (y, y.tolist(), y[:, None], frame, frame["height"], Data(y)):
        found = fit(given, 1, estimators=("em",))
        assert value(found, "mu", 1, "em") == pytest.approx(y.mean())
    assert fit(frame, 1, estimators=("em",)).data.name == "height"
    with pytest.raises(
        ValueError, match=r"one column of numbers, got an array of shape \(100, 2\)"
    ):
        fit(y.reshape(100, 2))
    with pytest.raises(ValueError, match="one column of numbers, got list"):
        fit(["a", "b"])


@pytest.mark.parametrize(
    ("given", "expected"), [(3, (3, 3)), ("3", (3, 3)), ("1-6", (1, 6)), ((2, 4), (2, 4)),
                            ("auto", (1, 6))],
)  # fmt: skip
def test_ranges_of_components(given, expected):
    assert component_range(given) == expected


@pytest.mark.parametrize("given", [0, "x", "6-1", "1-", (1, 2, 3), 2.0, True, -1, "1-5000"])
def test_what_is_no_number_of_components(given):
    with pytest.raises(ValueError, match=r"components must be a whole number .* a range like 1-6"):
        component_range(given)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"estimators": ("nutz",)}, "did you mean 'nuts'"),
        ({"estimators": ()}, "estimators must be among ecm, em, .*, nuts-pymc, got none"),
        ({"draws": 3}, "draws must be a whole number of at least 50, got 3"),
        ({"hdi_prob": 1.5}, "hdi_prob must lie between 0 and 1, got 1.5"),
        ({"target_accept": 1.0}, "target_accept must lie between 0 and 1, got 1.0"),
        ({"components": 300}, "at least 600 points"),
    ],
)
def test_wrong_arguments_end_before_work(arguments, message):
    with pytest.raises(ValueError, match=message):
        fit(column("one_gaussian"), **arguments)


def test_two_values_are_fitted_or_refused_in_a_sentence():
    data = Data([0.0] * 8 + [1.0] * 4)
    with pytest.raises(ValueError, match=r"3 distinct values for 3 components, data holds 2"):
        fit(data, 3)
    found = fit(data, 2, estimators=("em", "map"))
    assert value(found, "w", 1, "map") == pytest.approx(2 / 3, abs=0.05)


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [f"{x:.2f};{g}" for x, g in zip(column("two_lines").y, "ab" * 250, strict=True)]
    (tmp_path / "my.csv").write_text("x;g\n" + "\n".join(rows).replace(".", ",") + "\n;a\n")
    return tmp_path


READ = ("--decimal-comma", "--drop-missing", "--where", "g=a", "--estimators", "em")


def test_command_line_writes_estimates_and_points(here, monkeypatch, capsys):
    assert exit_status(monkeypatch, "fit", "my.csv:x", *READ) == 0
    printed = capsys.readouterr()
    assert "my:x: n = 250, K = 2" in printed.out and "1 weight" in printed.out
    assert exit_status(monkeypatch, "fit", "my.csv:x", *READ, "-k", "1-3", "--json") == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["components"] == 2 and len(summary["criteria"]) == 3
    first, second = here / "results/my-x/fit-k2", here / "results/my-x/fit-k1-3"
    assert {"estimates.csv", "points.csv", "criteria.csv"} <= {f.name for f in first.iterdir()}
    points = pd.read_csv(first / "points.csv")
    assert list(points) == ["y", "component", "probability_1", "probability_2"]
    assert len(points) == 250 and (second / "summary.json").is_file()


def test_a_folder_of_something_else_says_what_differs(here, monkeypatch, capsys):
    assert exit_status(monkeypatch, "fit", "my.csv:x", *READ, "--out", "mine", "-q") == 0
    other = ("fit", "my.csv:x", *READ, "--out", "mine", "-k", "3", "--seed", "2")
    assert exit_status(monkeypatch, *other) == 2
    assert "(components 2, not 3; seed 1, not 2)" in capsys.readouterr().err
    assert exit_status(monkeypatch, *other, "--force", "-q") == 0


HEAVY = ("arviz", "arviz_stats", "dask", "jinja2", "matplotlib", "nutpie", "pymc", "pytensor",
         "scipy.optimize", "scipy.special", "scipy.stats", "xarray")  # fmt: skip
LIGHT = f"found = set({HEAVY}) & set(sys.modules)\nassert not found, found"


def test_em_alone_does_not_wait_for_a_sampler(here):
    program = (
        "import sys, ordered_mix\n"
        "ordered_mix.fit([1.0, 1.2, 1.1, 1.3, 5.0, 5.2, 5.1, 5.4], estimators=('em',)).summary()\n"
        + LIGHT
    )
    asked = "['ordered-mix', 'fit', 'my.csv:x', '--decimal-comma', '--drop-missing', '-k', '1-2', "
    command = (
        f"import sys\nsys.argv = {asked}'--estimators', 'em', '-q']\n"
        "from ordered_mix.cli import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code\n" + LIGHT
    )
    for text in (program, command):
        call = [sys.executable, "-c", text]
        done = subprocess.run(call, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_common_scales_and_known_values():
    data = column("two_lines")
    tied = fit(data, 2, estimators=("em",), scales="common")
    assert value(tied, "sigma", 1, "em") == pytest.approx(value(tied, "sigma", 2, "em"))
    best = tied.maximum.log_likelihood
    assert tied.criteria.loc[0, "bic"] == pytest.approx(4 * np.log(data.n) - 2 * best)
    free = fit(data, 2, estimators=("em",)).maximum.log_likelihood
    known = {"w": [0.3, 0.7], "mu": [2.0, -2.0], "sigma": [0.1, 0.1]}
    for name, values in known.items():
        found = fit(data, 2, estimators=("em",), fixed={name: values})
        held = [value(found, name, k, "em") for k in (1, 2)]
        assert held == pytest.approx(values if name == "sigma" else values[::-1])
        assert free - 1 < found.maximum.log_likelihood <= free + 1e-6


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scales": "tied"}, "scales must be one of free, common, got 'tied'"),
        (
            {"scales": "common", "estimators": ("nuts",), "parameterization": "moment"},
            "known scales, or a common one, are no coordinates",
        ),
        (
            {"fixed": {"mu": [0.0, 1.0]}, "estimators": ("nuts",), "parameterization": "ordered"},
            "known means have no gaps",
        ),
        (
            {"estimators": ("nuts",), "parameterization": "ordered", "components": "1-2"},
            "ordered does not apply: gaps need at least two components",
        ),
        ({"fixed": {"w": [0.3, 0.6]}}, "fixed w must add up to 1"),
        ({"fixed": {"s": [1, 1]}}, "fixed may hold w, mu, sigma, got 's'"),
        ({"fixed": {"mu": [1.0, 2.0, 3.0]}}, "fixed mu must hold 2 values for K = 2, got 3"),
        ({"fixed": {"sigma": [0.0, 1.0]}}, "fixed sigma must be positive"),
        ({"fixed": {"mu": [0.0, 1.0]}, "components": "1-2"}, "components must be one number"),
    ],
)
def test_wrong_restrictions(arguments, message):
    with pytest.raises(ValueError, match=message):
        fit(column("two_lines"), **{"components": 2, "estimators": ("em",), **arguments})


def test_known_weights_are_kept_by_map_and_sampler():
    """Unequal ones are the labels: component 1 is the one with the first weight."""
    data = column("two_lines")
    found = fit(data, 2, fixed={"w": [0.3, 0.7]}, **SHORT)
    for of in ("mean", "em"):
        assert [value(found, "w", k, of) for k in (1, 2)] == pytest.approx([0.3, 0.7])
    assert value(found, "mu", 1) > 1.9 and value(found, "mu", 2) < -1.9
    assert found.agreement.status != "bad"
    known = fit(data, 2, estimators=("em", "map"), fixed={"sigma": [0.1, 0.1]})
    for k in (1, 2):
        assert value(known, "sigma", k, "map") == pytest.approx(0.1)
