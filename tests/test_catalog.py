"""The folder is the registry: names, near matches, files of one's own, and their check."""

from importlib import import_module
from types import ModuleType

import pytest

import ordered_mix
from ordered_mix.parameterization import catalog
from ordered_mix.parameterization.check import check_parameterization
from ordered_mix.parameterization.parameterization import NotApplicable, Parameterization
from ordered_mix.prior import Prior

MODEL = '''"""Weights by a beta, the second mean above the first."""

import pymc as pm
import pytensor.tensor as pt


def block(k, prior, *, widest=2.0):
    share = pm.Beta("share", 2.0, 2.0)
    sigma = pm.HalfNormal("sigma", widest, shape=2)
    low = pm.Normal("low", 0.0, 2.0)
    gap = pm.HalfNormal("gap", 2.0)
    return pt.stack([share, 1 - share]), pt.stack([low, low + gap]), sigma


def coordinates(mixture, *, widest=2.0):
    ascending = mixture.sorted()
    gap = ascending.mu[..., 1] - ascending.mu[..., 0]
    low = ascending.mu[..., 0]
    return {"share": ascending.w[..., 0], "sigma": ascending.sigma, "low": low, "gap": gap}


def skip(k, prior, *, widest=2.0):
    return None if k == 2 else "it is written for two components"
'''
OWN_PRIOR = Prior(native=True)


@pytest.fixture
def write(tmp_path):
    """Writes a model file, with replacements, and returns its path."""

    def write_model(*replacements):
        text = MODEL
        for old, new in replacements:
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / "mine.py"
        path.write_text(text, encoding="utf-8")
        return path

    return write_model


def by_law(check):
    return {outcome.law: outcome for _, outcome in check.outcomes}


def test_names_are_the_files_of_the_folder():
    found = catalog.names()
    assert found == sorted(found)
    assert {"ordered", "relative", "unordered"} <= set(found)
    assert all(catalog.summary(name) for name in found)
    for name in found:
        module = catalog.module(name)
        assert module.__name__ == f"ordered_mix.models.{name}"
        assert callable(module.block) and callable(module.coordinates)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "relativ",
            r"parameterization must be one of centred, .*got 'relativ', did you mean 'relat",
        ),
        ("qqq", r"or a \.py file, got 'qqq'$"),
        ("nowhere/mine.py", r"parameterization file 'nowhere/mine\.py' does not exist"),
    ],
)
def test_unknown_names(name, message):
    with pytest.raises(ValueError, match=message):
        catalog.parameterization(name, 2)


def test_options_are_checked_before_any_work():
    with pytest.raises(ValueError, match="options of ordered must be among none, got link"):
        catalog.parameterization("ordered", 2, link="log")
    with pytest.raises(ValueError, match=r"options of relative must be among link, .*got lnk"):
        catalog.parameterization("relative", 2, lnk="log")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"link": "cube"}, "link must be one of log, softplus, square, identity, got 'cube'"),
        ({"clearance": -0.1}, "clearance must be at least 0 and finite, got -0.1"),
        ({"clearance": float("nan")}, "clearance must be at least 0 and finite, got nan"),
        (
            {"weight_clearance": 0.5},
            r"weight_clearance must be .* below 1/2 for 2 components, got 0.5",
        ),
        ({"weight_clearance": -0.1}, r"weight_clearance must be at least 0 .*got -0.1"),
        ({"reference": 3}, "reference must be a component from 1 to 2, got 3"),
        ({"order": "w"}, "order must be one of mu, sigma, both, got 'w'"),
        ({"order": "sigma", "link": "identity"}, "orders the means only, order must be 'mu'"),
    ],
)
def test_bad_options_of_relative(options, message):
    with pytest.raises(ValueError, match=message):
        catalog.parameterization("relative", 2, **options)


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"spread": 0}, "spread of the prior must be positive and finite, got 0"),
        ({"scale": -1.0}, "scale of the prior must be positive and finite, got -1.0"),
        ({"concentration": float("inf")}, "concentration of the prior must be positive"),
        ({"location": float("nan")}, "location of the prior must be finite, got nan"),
        ({"known_sigma": 0.0}, "known_sigma of the prior must be positive"),
        ({"known_w": (0.5, 0.6)}, "known_w must be positive and add up to 1"),
        (
            {"scale_family": "gamma"},
            "scale_family must be one of inverse_gamma, half_normal, adaptive",
        ),
    ],
)
def test_bad_priors(numbers, message):
    with pytest.raises(ValueError, match=message):
        Prior(**numbers)


@pytest.mark.parametrize(
    ("name", "k", "prior", "reason"),
    [
        ("ordered", 1, Prior(), "at least two components"),
        ("resolved", 3, Prior(), "defined for two components"),
        ("sheared", 3, Prior(), "that of two components"),
        ("relative", 2, Prior(known_w=(0.3, 0.7)), "known unequal weights"),
        ("moment", 2, Prior(known_sigma=1.0), "known scales"),
    ],
)
def test_what_does_not_apply_says_why(name, k, prior, reason):
    with pytest.raises(NotApplicable, match=f"{name} does not apply: .*{reason}"):
        catalog.parameterization(name, k, prior)


@pytest.mark.parametrize("k", [0, -1, 2.5])
def test_number_of_components(k):
    with pytest.raises(ValueError, match=f"k must be a whole number of at least 1, got {k}"):
        catalog.parameterization("unordered", k)


def test_known_weights_are_one_for_each_component():
    with pytest.raises(ValueError, match="known_w must hold 3 values, got 2"):
        catalog.parameterization("unordered", 3, Prior(known_w=(0.5, 0.5)))


def test_identity_link_is_an_obstacle_for_nuts():
    assert (
        "projection" in catalog.parameterization("relative", 2, link="identity").reason_not_sampled
    )
    assert catalog.parameterization("relative", 2).reason_not_sampled is None
    assert catalog.parameterization("ordered", 2).reason_not_sampled is None


def test_labels():
    found = catalog.parameterization("relative", 2, link="square", clearance=0.5)
    assert found.label == "relative(clearance=0.5, link=square)"
    assert isinstance(found, Parameterization)


@pytest.mark.structures(2)
def test_a_label_is_split_into_what_it_was_made_of(found):
    assert catalog.split(found.label) == (found.name, dict(found.options))
    assert catalog.parameterization(found.label, 2).label == found.label


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ("relative()", r"given as name\(option=value\), got 'relative\(\)'"),
        ("relative(link)", r"given as name\(option=value\), got 'relative\(link\)'"),
        ("relative(link=log,)", r"given as name\(option=value\)"),
        ("relative(link=log", "parameterization must be one of"),
        ("relative(link=cube)", "link must be one of log, .* got 'cube'"),
        ("relative(clearance=wide)", r"options of relative\(clearance=wide\) must have values it"),
        ("ordered(link=log)", "options of ordered must be among none, got link"),
        ("moment(signed=maybe)", "signed must be True or False, got 'maybe'"),
        ("moment(gap=bent)", "gap must be one of sphere, pooled, got 'bent'"),
        ("moment(gap=pooled, signed=False)", "gaps in pooled standard deviations are signed"),
    ],
)
def test_bad_labels(label, message):
    with pytest.raises(ValueError, match=message):
        catalog.parameterization(label, 2)


def test_a_file_of_ones_own_passes_the_laws(write, capsys):
    check = check_parameterization(write(), 2, OWN_PRIOR, seed=1, widest=1.5)
    assert check.passed, str(check)
    assert check.label == "mine(widest=1.5)"
    assert "native prior" in by_law(check)["matched prior"].skipped
    printed = capsys.readouterr().out
    assert printed.startswith("mine(widest=1.5): no law fails\n  K = 2  holds    round trip: error")


def test_a_prior_that_is_not_the_reference_is_told_apart(write, capsys):
    check = check_parameterization(str(write()), 2, seed=1)
    failed = {outcome.law for _, outcome in check.failures}
    assert failed == {"matched prior", "prior draws"}
    assert not check.passed
    assert "FAILS    matched prior: error" in capsys.readouterr().out


def test_what_does_not_apply_is_skipped(write):
    check = check_parameterization(write(), 3, OWN_PRIOR)
    assert check.passed
    assert "written for two components" in by_law(check)["applies"].skipped


@pytest.mark.parametrize(
    ("replacement", "law"),
    [
        (("low = ascending.mu[..., 0]", "low = ascending.mu[..., 0] + 0.25"), "round trip"),
        (('gap = pm.HalfNormal("gap", 2.0)', 'gap = pm.Normal("gap", 2.0, 2.0)'), "order of draws"),
        (
            (
                'gap = pm.HalfNormal("gap", 2.0)',
                'gap = pm.HalfNormal("gap", 2.0)\n    pm.Potential("half", pt.log(0.5))',
            ),
            "prior mass",
        ),
    ],
)
def test_a_broken_law_is_named_with_its_error(write, replacement, law):
    outcome = by_law(check_parameterization(write(replacement), 2, OWN_PRIOR))[law]
    assert not outcome.holds
    assert f"FAILS    {law}: " in str(outcome)
    if not outcome.problem:
        assert outcome.error > outcome.tolerance


def test_a_file_that_raises_fails_in_one_line(write):
    check = check_parameterization(write(("mixture.sorted()", "mixture.fld()")), 2, OWN_PRIOR)
    outcome = by_law(check)["round trip"]
    assert (
        str(outcome)
        == "FAILS    round trip: AttributeError: 'Mixture' object has no attribute 'fld'"
    )


def test_a_file_without_the_two_functions(write):
    with pytest.raises(ValueError, match=r"model file 'mine' must define block.*lacks coordinates"):
        check_parameterization(write(("def coordinates", "def inverse")))
    with pytest.raises(ValueError, match=r"file '.*mine\.py' cannot be run: "):
        check_parameterization(write(("import pymc as pm", "import pymcc as pm")))


def test_our_own_files_pass(capsys):
    assert ordered_mix.check_parameterization("centred", 2).passed
    assert capsys.readouterr().out.count("holds") == 8


def test_public_names_stay_functions_once_the_modules_so_named_are_imported():
    import_module("ordered_mix.compare")
    import_module("ordered_mix.parameterization")
    for name in ordered_mix.__all__:
        assert callable(getattr(ordered_mix, name)), name
    assert ordered_mix.parameterization("relative", 2).label == "relative"


def test_the_package_offers_its_names_and_no_others():
    offered = [name for name in vars(ordered_mix) if not name.startswith("_")]
    modules = [name for name in offered if isinstance(vars(ordered_mix)[name], ModuleType)]
    assert set(offered) <= {*ordered_mix.__all__, *modules, "annotations"}
    assert set(dir(ordered_mix)) == {*ordered_mix.__all__, "__version__"}
