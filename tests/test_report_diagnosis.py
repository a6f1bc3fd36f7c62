"""The report of draws that someone else made: the page of a diagnosis."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from fabricated import NAMES as VARIABLES
from fabricated import switched_draws, truth
from markupsafe import escape
from pages import (
    check_accessibility,
    check_contrast,
    check_document,
    check_layout,
    check_outline,
    check_print,
    check_silence,
    check_words_in_figures,
    opened,
    words_of,
)
from scipy import stats

from ordered_mix.compare.diagnosis import diagnose
from ordered_mix.fitted.verdict import headline
from ordered_mix.report import notebook, render
from ordered_mix.report.figures import fit
from ordered_mix.report.figures.chains import chains_of_draws
from ordered_mix.report.figures.partition import _matrix
from ordered_mix.report.tables.table import fixed, percent, significant

NAMES = {**VARIABLES, "likelihood": "normal"}
SCRIPT = "<script>alert(1)</script>"
HOSTILE = {
    "mu": "<script>alert(1)<b onload='x'>",
    "sigma": '{{ 7 * 7 }} & "quoted" $x_1$',
    "weights": "a;b\n<i>",
}


@pytest.fixture(scope="module")
def found():
    return diagnose(switched_draws(), **NAMES, name="own draws")


@pytest.fixture(scope="module")
def page(found):
    return render(found)


@pytest.fixture(scope="module")
def hostile():
    tree = switched_draws(names=HOSTILE, dim="<img src=x onerror=alert(2)>")
    tree["posterior"].attrs |= {"inference_library": SCRIPT, "inference_library_version": "<1>"}
    return diagnose(tree, **HOSTILE, name=SCRIPT, likelihood="normal")


def drawn(page):
    """The ``svg`` elements of a page."""
    return [ElementTree.fromstring(svg) for svg in re.findall(r"<svg.*?</svg>", page, re.S)]


def test_page_says_what_was_found_and_how(found, page):
    check_document(page)
    text = words_of(page)
    assert "own draws: draws diagnosed" in text
    assert "4 chains of 300 draws, K = 3 components, n = 200 points" in text
    for verdict in found.verdicts:
        assert verdict.question in text and verdict.answer in text
    for line in found.switching.interpretation().values():
        assert line in text
    for line in filter(None, map(str.strip, found.arviz.text.splitlines())):
        assert line in text
    assert "components along species" in text
    changes = re.search(r">Every permuted variable.*?</table>", page, re.S)[0]
    assert re.findall(r'<th scope="row">([^<]*)</th>', changes) == list(found.relabelled.permuted)
    worst = found.relabelled.effect.by_variable.set_index("variable").loc["spread"]
    assert f"<td>{fixed(3)(worst['rhat_before'])}</td>" in changes
    assert (
        "ordered-mix diagnose DRAWS --mu centre --sigma spread --weights share "
        "--likelihood normal --method stephens"
    ) in text
    assert len(page.encode()) < 1_000_000


def test_tables_hold_raw_and_relabelled_side_by_side(found, page):
    rows = dict(re.findall(r'<tr><th scope="row">([^<]*)</th>(.*?)</tr>', page))
    convergence = re.search(r'id="table-1">Convergence.*?</table>', page, re.S)[0]
    first = dict(re.findall(r'<tr><th scope="row">([^<]*)</th>(.*?)</tr>', convergence))
    assert list(first) == [f"{name} {j}" for name in ("centre", "spread", "share")
                           for j in (1, 2, 3)]  # fmt: skip
    table = found.table.set_index(["labels", "quantity", "component"])
    labels = ("raw", "relabelled")
    cells = re.findall("<td>(.*?)</td>", first["centre 2"])
    assert cells[:2] == [fixed(3)(table.loc[(name, "centre", 1), "rhat"]) for name in labels]
    assert cells[2:4] == [fixed(0)(table.loc[(name, "centre", 1), "ess_bulk"]) for name in labels]
    assert cells[4:6] == [fixed(0)(table.loc[(name, "centre", 1), "ess_tail"]) for name in labels]
    assert cells[6:] == [fixed(2)(table.loc[(name, "centre", 1), "bimodality"]) for name in labels]
    last = re.findall("<td>(.*?)</td>", rows["centre 2"])
    errors = [table.loc[(name, "centre", 1), "mcse_mean"] for name in labels]
    assert last[2:] == [significant(2)(error) for error in errors]
    relabelled = found.relabelled.draws["posterior"]["centre"][..., 1]
    assert last[1].startswith(fixed(3)(float(relabelled.mean()))[:4])
    assert percent(found.switching.gap_mass) in rows["Draws near gap = 0"]
    assert fixed(2)(found.elpd_loo.elpd) in rows["LOO"]
    assert "stephens" in rows["Method"] and "noise" in rows["Left alone"]


def test_figures_are_labels_raw_beside_relabelled_pairs_and_density(found, page):
    labels, pairs, density, shared = drawn(page)
    assert "Co-clustering matrix of 200 points" in shared.attrib["aria-label"]
    assert "3 clusters of" in shared.attrib["aria-label"]
    texts = ["".join(figure.itertext()) for figure in (labels, pairs, density)]
    assert "raw: as sampled" in texts[0] and "relabelled: stephens" in texts[0]
    assert f"raw: largest R-hat {found.worst('rhat', 'raw'):.3f}" in labels.attrib["aria-label"]
    assert "mean 2, centre" in texts[1] and "mean 3, centre" in texts[1]
    assert "Histogram of 200 values" in density.attrib["aria-label"]
    assert "Components, relabelled" in density.attrib["aria-label"]


@pytest.mark.parametrize("k", [1, 2, 6])
def test_any_number_of_components_without_data(k):
    found = diagnose(switched_draws(k=k, draws=60, data=False), **NAMES)
    page = render(found)
    check_document(page)
    figures = drawn(page)
    assert len(figures) == (2 if k == 1 else 3)
    density = figures[-1].attrib["aria-label"]
    assert "Histogram" not in density and "centre" in "".join(figures[-1].itertext())
    assert ("Neighbouring means" in page) == ("Label switching</h3>" in page) == (k > 1)
    text = words_of(page)
    assert "data not known" in text and "WAIC" not in text and "Pass " not in text
    assert f"K = {k} component{'s' if k > 1 else ''}," in text
    assert notebook(found).count("<svg") == 1


def test_without_a_likelihood_no_density_and_no_partition_are_shown():
    found = diagnose(switched_draws(draws=60), **VARIABLES)
    page = render(found)
    check_document(page)
    text = words_of(page)
    assert len(drawn(page)) == 1 and "The fit" not in text and "The partition" not in text
    assert "Not known, so none is used." in text and "elpd_loo" not in text
    assert text.count("pass likelihood=&#39;normal&#39;") == 1


def test_points_of_one_cluster():
    figure = _matrix("own", np.zeros((1, 5, 6), dtype=int))
    assert figure.caption.endswith("which has 1 cluster.")
    assert figure.alt.endswith("1 cluster of 6 points.")


def test_equal_weights_and_one_scale_for_all():
    tree = switched_draws(k=2, draws=60, data=False)
    posterior = tree["posterior"].to_dataset()
    tree["posterior"] = posterior.assign(tau=posterior["spread"].isel(species=0, drop=True))
    page = render(diagnose(tree, mu="centre", sigma="tau", weights=None))
    text = words_of(page)
    assert "weights equal" in text and "scales tau" in text
    assert "--weights &#39;&#39;" in page


def test_density_without_data_covers_the_draws():
    found = diagnose(switched_draws(k=2, data=False), **NAMES)
    grid = fit._grid(found.mixture, None)
    true = truth(2)
    reach = stats.norm.ppf(0.002)
    assert grid[0] < true.mu[0] + reach * true.sigma[0] < 0 < true.mu[1] - reach < grid[-1]
    assert grid[-1] - grid[0] < 14
    chains = chains_of_draws(found, "#aa4499")
    parts = fit.components(chains.repaired, grid)
    mean, low, high = fit.predictive(chains.raw, grid)
    assert np.allclose(parts.sum(axis=1), mean, rtol=1e-10) and np.all(
        (low <= mean) & (mean <= high)
    )
    assert sorted(grid[parts.argmax(axis=0)]) == pytest.approx(true.mu, abs=0.1)


def test_names_come_out_inert(hostile):
    for text in (render(hostile), notebook(hostile)):
        outline = check_outline(text)
        assert not {"script", "b", "img", "i"} & {tag for tag, _ in outline.tags}
        assert all(str(escape(name)) in text for name in (SCRIPT, *HOSTILE.values()))
    page = render(hostile)
    check_document(page)
    assert "&lt;img src=x onerror=alert(2)&gt;" in page and "&lt;1&gt;" in page


def test_same_draws_give_the_same_bytes_and_a_notebook_a_fragment(found, page):
    assert render(diagnose(switched_draws(), **NAMES, name="own draws")) == page
    fragment = found._repr_html_()
    assert fragment == notebook(found) and fragment.startswith("<div")
    check_outline(fragment)
    assert len(fragment) < 100_000


def test_headline_of_a_diagnosis(found):
    by_key = {verdict.key: verdict for verdict in found.verdicts}
    assert list(by_key) == [
        "converged", "labels", "permuted", "likelihood", "boundary", "arviz", "criteria",
    ]  # fmt: skip
    said = headline(found.verdicts)
    for verdict in found.verdicts:
        assert verdict.clause.lower() in said.lower()
    assert by_key["labels"].values["method"] == found.method


def test_headline_knows_every_answer_of_a_diagnosis(found):
    assert "?" not in headline(found.verdicts)


def test_only_results_have_a_report():
    with pytest.raises(
        ValueError, match="a Comparison, a DrawsDiagnosis or a StudyResult, got dict"
    ):
        render({})


@pytest.fixture(scope="module")
def browser(hostile, tmp_path_factory):
    with opened(render(hostile), tmp_path_factory.mktemp("browser")) as shown:
        yield shown


def test_browser_shows_names_as_text_and_asks_for_nothing_else(browser):
    check_silence(browser)
    assert browser.evaluate("document.querySelector('h1').textContent") == SCRIPT


@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (1280, "light")])
def test_browser_shows_the_page(browser, width, scheme):
    check_layout(browser, width, scheme)
    check_words_in_figures(browser, width)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_of_arviz_stand_out(browser, scheme):
    check_contrast(browser, "pre", scheme)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(browser, scheme):
    check_accessibility(browser, scheme)


def test_it_fits_paper(browser):
    check_print(browser)
