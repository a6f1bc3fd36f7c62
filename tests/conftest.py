"""Structures: every model file x options x number of components, for tests that ask for them."""

import contextlib
import itertools
import os
from functools import cache

import chance
import pytest

# under pytest's deep stack, notes of where each node came from take a third of a graph's time
UNTRACED = "traceback__limit=0,traceback__compile_limit=0"
os.environ["PYTENSOR_FLAGS"] = f"{os.environ.get('PYTENSOR_FLAGS', '')},{UNTRACED}".lstrip(",")

# half a minute or more each: begun first, so that two processes end together
LONG = {
    "test_cold", "test_density", "test_engine", "test_estimators_multivariate", "test_faults",
    "test_laws", "test_multivariate_models", "test_multivariate_parameterization", "test_nuts",
    "test_parameterization", "test_prior", "test_readme", "test_references", "test_studies",
    "test_study_evidence",
}  # fmt: skip

VARIANTS = {
    "unordered": [{}],
    "ordered": [{}],
    "relative": [
        {},
        {"link": "softplus"},
        {"link": "square", "reference": 2},
        {"link": "identity"},
        {"order": "sigma", "link": "square"},
        {"order": "both"},
        {"order": "both", "clearance": 0.1, "weight_clearance": 0.1, "reference": 2},
    ],
    "centred": [{}],
    "signed": [{}],
    "moment": [{}, {"signed": False}, {"gap": "pooled"}],
    "resolved": [{}],
    "sheared": [{}, {"gap": "bent"}],
}
NUMBERS = {"location": 0.3, "spread": 1.7, "scale": 0.6, "concentration": 3.0}


@cache
def build(name, k, native=False, family="inverse_gamma", **options):
    """One parameterization for all tests of a file, its maps compiled once."""
    from ordered_mix.parameterization import catalog
    from ordered_mix.prior import Prior

    prior = Prior(native=native, scale_family=family, **NUMBERS)
    return catalog.parameterization(name, k, prior, **options)


def structures(sizes, **prior):
    """Every combination that applies, as pytest parameters."""
    from ordered_mix.parameterization.parameterization import NotApplicable

    found = []
    for name, k in itertools.product(VARIANTS, sizes):
        for options in VARIANTS[name]:
            with contextlib.suppress(NotApplicable):
                one = build(name, k, **prior, **options)
                found.append(pytest.param(one, id=f"{one.label}-{k}"))
    return found


def pytest_configure(config):
    line = (
        "structures(*sizes, native=False, family='inverse_gamma'): fill `found` with every "
        "parameterization of these sizes"
    )
    config.addinivalue_line("markers", line)
    line = "chance: the test draws; what it may fail by is its share of the suite's false alarms"
    config.addinivalue_line("markers", line)


def pytest_collection_modifyitems(items):
    drawing = sum(item.get_closest_marker("chance") is not None for item in items)
    if drawing > chance.TESTS:
        raise pytest.UsageError(f"{drawing} tests draw, {chance.TESTS} shares were made")
    items.sort(key=lambda item: item.path.stem not in LONG)


def pytest_runtest_setup(item):
    chance.counted = item.get_closest_marker("chance") is not None


def pytest_generate_tests(metafunc):
    marker = metafunc.definition.get_closest_marker("structures")
    if marker:
        # PyMC takes seconds to import: only for tests that need it
        metafunc.parametrize("found", structures(marker.args, **marker.kwargs))


@pytest.fixture(name="build", scope="session")
def build_fixture():
    """One parameterization by name, number of components and options."""
    return build


@pytest.fixture(scope="session")
def variants():
    """Options tested of every model file."""
    return VARIANTS


@pytest.fixture(scope="session")
def numbers():
    """Numbers of the prior that all structures have."""
    return NUMBERS
