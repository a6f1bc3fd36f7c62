"""Jacobians of the parameterizations of two components against the models, and exponents at gap 0."""

import numpy as np
import pytest

from ordered_mix.mixture import Mixture
from ordered_mix.parameterization import catalog
from ordered_mix.prior import Prior
from ordered_mix.theory.coordinates import UNKNOWN, jacobian, near_singularity, predicted_exponents
from ordered_mix.theory.fisher import spectrum
from ordered_mix.theory.mean_coordinates import COORDINATES

AT = Mixture([0.3, 0.7], [-1.0, 1.2], [0.8, 1.3])
MODELS = {
    "unordered": ("unordered", {}, True),
    "relative": ("relative", {}, True),
    "centred": ("centred", {}, True),
    "signed": ("signed", {}, True),
    "resolved": ("resolved", {}, True),
    "relative(link=log)": ("relative", {"link": "log"}, False),
    "relative(link=softplus)": ("relative", {"link": "softplus"}, False),
    "relative(link=square)": ("relative", {"link": "square"}, False),
}


def spans(columns):
    """Projection onto the space of the columns."""
    basis, _ = np.linalg.qr(columns)
    return basis @ basis.T


@pytest.mark.parametrize("coordinates", MODELS)
def test_jacobians_are_those_of_the_models(coordinates):
    name, options, free = MODELS[coordinates]
    model = catalog.parameterization(name, 2, Prior(), **options)
    z = model.unconstrain(AT)
    found = model.jacobian_free(model.free(z)) if free else model.jacobian(z)
    ours = jacobian(coordinates, AT, "all")
    # the models name location and gap in an order of their own; the weights' and scales' units
    # are those of the free coordinates only
    for column in ours.T if free else ours.T[:2]:
        assert np.abs(found - column[:, None]).max(axis=0).min() < 1e-12, column
    np.testing.assert_allclose(spans(found), spans(ours), atol=1e-12)


def test_what_is_unknown_adds_columns():
    for coordinates in COORDINATES:
        widths = [jacobian(coordinates, AT, unknown).shape for unknown in UNKNOWN]
        assert widths == [(6, 2), (6, 3), (6, 3), (6, 5)]
        assert np.all(jacobian(coordinates, AT, "scale")[4:, 2] == 1)


@pytest.mark.parametrize("weight", [0.5, 0.3])
@pytest.mark.parametrize("coordinates", COORDINATES)
def test_leading_terms_of_the_eigenvalues(coordinates, weight):
    gap = 0.005
    ends = gap * np.array([weight - 1, weight])
    at = Mixture([weight, 1 - weight], ends, [1.0, 1.0])
    smallest, largest = near_singularity(coordinates, weight, gap)
    values = spectrum(at, jacobian(coordinates, at))
    assert values == pytest.approx([smallest, largest], rel=0.01)


@pytest.mark.parametrize(
    ("coordinates", "smallest", "condition"),
    [
        ("unordered", 2, -2),
        ("relative", 2, -2),
        ("signed", 2, -2),
        ("resolved", 0, 0),
        ("bent", 0, 0),
        ("relative(link=log)", 4, -4),
        ("relative(link=square)", 3, -3),
        ("relative, squared gap", 2, -4),
    ],
)
def test_exponents(coordinates, smallest, condition):
    assert predicted_exponents(coordinates, 0.3) == (smallest, condition)


def test_bad_input():
    with pytest.raises(ValueError, match=r"coordinates must be one of unordered, .*, got 'polar'"):
        jacobian("polar", AT)
    with pytest.raises(ValueError, match=r"unknown must be one of none, .*, got 'shape'"):
        jacobian("signed", AT, "shape")
    with pytest.raises(ValueError, match=r"mixture must be a single one of two components"):
        jacobian("signed", Mixture.stack([AT, AT]))
    for function, arguments in ((near_singularity, (0.5, 0.1)), (predicted_exponents, ())):
        with pytest.raises(
            ValueError, match=r"coordinates must be one of unordered, .*, got 'polar'"
        ):
            function("polar", *arguments)
    for weight, gap in ((0.0, 0.1), (0.5, 0.0)):
        with pytest.raises(ValueError, match=rf"weight must lie .* got {weight} and {gap}"):
            near_singularity("signed", weight, gap)
