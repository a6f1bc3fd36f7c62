"""The report's page: what it says, that it is inert and self-contained, how a browser shows it."""

import re
from importlib.metadata import version

import numpy as np
import pytest
from pages import (
    LawsOfAPage,
    check_contrast,
    check_document,
    check_outline,
    opened,
    words_of,
)

from ordered_mix.compare.compare import compare
from ordered_mix.data import Data
from ordered_mix.fitted.verdict import Verdict, headline
from ordered_mix.mixture import Mixture
from ordered_mix.report import notebook, render
from ordered_mix.report.tables.table import fixed, magnitude, percent

NAME = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def compared():
    truth = Mixture([0.4, 0.6], [0.0, 4.0], [1.0, 1.0])
    data = Data(truth.sample(80, np.random.default_rng(1)), name=NAME)
    return compare(
        data, parameterizations=("unordered", "relative"), draws=300, tune=200, chains=2, seed=3
    )


@pytest.fixture(scope="module")
def page(compared):
    return render(compared)


@pytest.fixture(scope="module")
def single():
    data = Data(np.random.default_rng(2).normal(5e4, 3e3, 40), name="one")
    return compare(
        data, components=1, parameterizations=("unordered", "ordered"), estimators=("nuts",),
        draws=300, tune=150, chains=2,
    )  # fmt: skip


def test_page_is_one_document_with_headings_in_order(page):
    check_document(page)
    assert len(page.encode()) < 1_000_000


def test_names_come_out_inert(compared, page):
    for text in (page, notebook(compared)):
        assert "<script" not in text
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text


def test_same_comparison_gives_the_same_bytes(compared, page):
    assert render(compared) == page
    assert notebook(compared) == notebook(compared)


def test_page_says_what_was_found_and_how(compared, page):
    text = words_of(page)
    for verdict in compared.verdicts:
        assert verdict.question in text
    for row in compared.table.to_dict("records"):
        assert row["label"] in text
        if row["status"] == "sampled":
            assert fixed(3)(row["rhat_raw"]) in text and fixed(2)(row["elpd_loo"]) in text
        else:
            assert fixed(4)(row["log_likelihood"]) in text
    assert f"pymc {version('pymc')}" in text and f"arviz {version('arviz')}" in text
    assert (
        "ordered-mix compare FILE.csv:column --parameterizations unordered,relative --draws 300 "
        "--tune 200 --chains 2 --seed 3"
    ) in text


def test_seconds_stand_apart_from_everything_else(page):
    apart = re.search(r'<div class="apart">.*?</table>', page, re.S)[0]
    assert "Seconds" in apart and "nuts unordered" in apart
    rest = page.replace(apart, "")
    card = re.search(
        r"<(\w+)[^>]*>\s*Which point estimator should fit\?.*?econds for.*?</p>", rest, re.S
    )
    assert "econds" not in rest.replace(card[0], "")


def test_raw_beside_relabelled_for_free_labels_and_one_more(page):
    labels = re.search(r"<h3>Labels, raw beside relabelled</h3>.*?<h3>", page, re.S)[0]
    assert re.findall(r"<strong>(.*?)</strong>", labels) == ["nuts unordered", "nuts relative"]
    assert labels.count("raw: as sampled") == labels.count("relabelled: by separation") == 2


def test_one_component_without_point_fits(single):
    page = render(single)
    outline = check_outline(page)
    assert sum(tag == "svg" for tag, _ in outline.tags) == 3  # density, chains, efficiency
    assert "K = 1 component<" in page and "Neighbouring means" not in page
    assert "gaps need at least two components" in page
    assert "Point estimators" not in page
    assert len(headline(single.verdicts).split(";")) == 3


def test_notebook_is_a_fragment(compared):
    fragment = notebook(compared)
    assert compared._repr_html_() == fragment
    assert fragment.startswith("<div") and "<html" not in fragment and "<body" not in fragment
    outline = check_outline(fragment)
    assert sum(tag == "svg" for tag, _ in outline.tags) == 1
    assert len(fragment) < 100_000


def test_headline_is_one_sentence_of_the_main_answers(compared):
    asked = [
        Verdict("agree", "good", "Q?", "Yes.", "", "the chains agree"),
        Verdict("point", "good", "Q?", "em.", ""),
        Verdict("component", "bad", "Q?", "No.", "", "component 3 is not supported"),
    ]
    assert headline(asked) == "The chains agree; component 3 is not supported."
    assert headline(asked[1:2]) == ""
    assert "?" not in headline(compared.verdicts)
    with pytest.raises(ValueError, match="status must be one of good, nearly, bad, undecided"):
        Verdict("agree", "fine", "Q?", "Yes.", "")


def test_numbers_are_written_for_reading():
    assert fixed(1)(-1234567.06) == "\N{MINUS SIGN}1,234,567.1"
    assert fixed(2)(-0.0) == "0.00" and fixed(0)(float("nan")) == "\N{EN DASH}"
    assert percent(0.5) == "50.0%" and percent(0.0012) == "0.12%" and percent(0) == "0.0%"
    assert magnitude(13.6)(54.6149) == "54.61" and magnitude(4500.0)(20831.2) == "20,831"
    assert magnitude(1e-9)(2.34567e-9) == "2.3457e\N{MINUS SIGN}09"


@pytest.fixture(scope="module")
def browser(page, tmp_path_factory):
    with opened(page, tmp_path_factory.mktemp("browser")) as shown:
        yield shown


class TestInABrowser(LawsOfAPage):
    """The laws of every report."""


def test_the_title_begins_with_the_name_of_the_data(browser):
    assert browser.evaluate("document.title").startswith(NAME)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("selector", ["h1", ".note", ".card .reason", ".card h3", "nav a", "dt"])
def test_words_stand_out_from_the_page(browser, scheme, selector):
    check_contrast(browser, selector, scheme)
