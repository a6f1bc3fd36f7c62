"""The report of a fit: figures of ArviZ in the look of the page, and how a browser shows it."""

import re

import numpy as np
import pytest
from pages import (
    LawsOfAPage,
    check_contrast,
    check_document,
    opened,
    words_of,
)

from ordered_mix import fit
from ordered_mix.data import Data
from ordered_mix.fitted import crossing
from ordered_mix.report import render
from ordered_mix.report.figures import by_arviz

COLOUR = re.compile(r"#[0-9a-f]{6}\b(?!-)")


@pytest.fixture(scope="module")
def fitted():
    """Two components and a value far from all others, which is said above the answers."""
    rng = np.random.default_rng(1)
    y = np.concatenate([rng.normal(162, 6, 60), rng.normal(182, 5, 60), [1780.0]])
    data = Data(y, name="people:height of all")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(crossing, "PARTICLES", 1024)  # enough for a page
        return fit(data, 3, draws=150, tune=200, chains=2, seed=2)


@pytest.fixture(scope="module")
def page(fitted):
    return render(fitted)


def test_page_is_one_small_document_and_always_the_same(fitted, page):
    check_document(page)
    assert len(page.encode()) < 500_000
    assert render(fitted) == page


def test_answers_and_what_is_particular_are_on_the_page(fitted, page):
    words = words_of(page)
    for verdict in fitted.verdicts:
        assert verdict.question in words and words_of(verdict.answer) in words
    assert "Far from all other values: 1780 (once)" in words


def check_theme(drawing):
    svg = str(drawing.svg)
    assert set(COLOUR.findall(svg)) <= set(by_arviz.COLOURS.values()), drawing.title
    assert "var(--ink)" in svg and len(svg) < 100_000
    for text in re.findall("<text [^>]*>", svg):
        assert "fill" in text, drawing.title


def test_figures_of_arviz_follow_the_theme_and_name_what_they_show(fitted):
    drawings = {
        "densities": by_arviz.densities(fitted.tree, 0.89, fitted.data.name),
        "transforms": by_arviz.transforms(fitted.checks),
    }
    for drawing in drawings.values():
        check_theme(drawing)
    means = fitted.labelled.mu.mean(axis=(0, 1))
    assert all(f"{value:.4g}" in drawings["densities"].alt for value in means)
    assert fitted.data.name in drawings["densities"].caption
    assert f"{fitted.checks.loo_pit.distance:.3f}" in drawings["transforms"].alt
    assert by_arviz.densities(fitted.tree.isel(component=[0] * 9), 0.89, "y") is None


def test_what_is_known_has_no_density_and_nuts_has_energies():
    rng = np.random.default_rng(3)
    y = np.append(rng.normal(0, 1, 50), rng.normal(9, 1, 50))
    found = fit(y, 2, draws=300, tune=300, chains=2, fixed={"sigma": [1.0, 1.0]})
    assert found.chains is None
    drawing = by_arviz.densities(found.tree, 0.89, "y")
    assert "weight" in drawing.alt and "sd" not in drawing.alt
    energy = by_arviz.energy(found.posterior)
    check_theme(energy)
    values = found.posterior.draws.tree["sample_stats"]["energy"].to_numpy()
    assert f"standard deviation {values.std():.2f}" in energy.alt


@pytest.fixture(scope="module")
def browser(page, tmp_path_factory):
    with opened(page, tmp_path_factory.mktemp("browser")) as shown:
        yield shown


class TestInABrowser(LawsOfAPage):
    """The laws of every report."""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("selector", ["h1", ".card .reason", ".card h3", "dt"])
def test_words_stand_out_from_the_page(browser, scheme, selector):
    check_contrast(browser, selector, scheme)
