"""The report of a study: verdicts, findings, figures, what failed, and how it was made."""

import base64
import io
import json
import re
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from matplotlib.animation import FuncAnimation
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from pages import (
    CLOSED,
    LawsOfAPage,
    check_contrast,
    check_document,
    check_outline,
    check_print,
    opened,
    words_of,
)
from PIL import Image

from ordered_mix.report import notebook, render
from ordered_mix.report.figures.interval import picture
from ordered_mix.report.of_study import StudyReport, draw, headline
from ordered_mix.study import Claim, Effect, Experiment, Study
from ordered_mix.study.result import SetAside, StudyResult

SCRIPT = "<script>alert(1)</script>"
RUN = {
    "size": "laptop", "overrides": {"n": [50, 200]}, "cells": 9, "computed": 9, "seeds": "by hash",
    "started": "2026-01-02T03:04:05+00:00", "command": "ordered-mix run demo --out x",
    "versions": {"python": "3.12.1", "numpy": "9.9"}, "git": {"commit": "c" * 40, "changed": True},
    "lock": "d" * 64, "code": "e" * 64, "seconds": 1234.56,
    "hardware": {"system": "Linux", "processor": "Fast", "processors": 2, "memory_gib": 4.0},
}  # fmt: skip


def claim(name, estimate, low, high, direction="above", margin=1.0, count=20, words=""):
    effect, source = Effect(estimate, low, high, count), f"{name} 2020, Table 1"
    return Claim(
        name,
        f"Statement of {name}.",
        source,
        lambda table: effect,
        direction,
        margin,
        "times",
        words=words,
    )


CLAIMS = (
    claim("first", 2.5, 2.0, 3.0, words="The first is {0:.3f} times. " + SCRIPT),
    claim("second", -2.5, -3.0, -2.0),
    claim("third", 0.1, -2.0, 2.0, "within"),
    Claim("fourth", SCRIPT, SCRIPT, lambda table: table["missing"], "below", 0.5),
)


def curve(result):
    """Values against n, $x_1$.

    And what nobody needs to know.
    """
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    table = result.tables["demo"]
    axes.plot(table["n"], table["value"], "o", label="one")
    axes.set(xlabel=r"$n$ / points", ylabel="value", title=SCRIPT)
    axes.legend()
    return figure


def heat(result):
    figure = Figure(figsize=(10, 3), layout="constrained")
    axes = figure.subplots()
    axes.pcolormesh(np.arange(12.0).reshape(3, 4), rasterized=True)
    axes.set(xlabel="separation / sigma", ylabel="n")
    return figure


def broken(result):
    raise KeyError("colour")


def make(folder, run=RUN, set_aside=(), **changes):
    study = Study(**{
        "name": "demo", "question": "Does the demonstration demonstrate, & what?",
        "source": SCRIPT, "experiments": {"demo": Experiment(lambda seed, n, link: [],
            {"n": (50, 200), "link": ("log", "softplus", "square")},
            {"smoke": {}, "laptop": {}, "cluster": {}})},
        "claims": CLAIMS, "figures": {"curve": curve, "same_curve": curve, "heat_map": heat},
        **changes,
    })  # fmt: skip
    states = ["done", "done", "failed", "failed", "skipped", "skipped"]
    errors = ["", "", "Boom: <b>", "Boom: <b>", "square needs K = 2", "square needs K = 2"]
    factors = [cell.factors for cell in study.cells()]
    rows = pd.DataFrame(factors).assign(seed=1, status=states, error=errors, value=np.arange(6.0))
    if run:
        record = {"schema": 1, "runs": [run, {**run, "computed": 0}]}
        (folder / "provenance.json").write_text(json.dumps(record))
    found = StudyResult(study, folder, {"demo": rows}, ())
    verdicts = tuple(one.judge(found.tables["demo"]) for one in study.claims)
    return StudyResult(study, folder, found.rows, verdicts, set_aside)


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    folder = tmp_path_factory.mktemp("place-of-the-machine")
    aside = (SetAside(folder / "set_aside" / "0-abc.json", "ValueError: the hash is wrong"),)
    return make(folder, set_aside=aside)


@pytest.fixture(scope="module")
def page(result):
    return render(result)


def test_page_is_one_document_with_headings_in_order(page):
    outline = check_document(page)
    assert {"answers", "figures", "tables", "made", "words"} <= set(outline.ids)


def test_page_says_what_was_asked_and_found(result, page):
    text = words_of(page)
    assert "<h1>Does the demonstration demonstrate, &amp; what?</h1>" in page
    assert "demo: Does the demonstration" in text
    assert ("1 of 4 claims hold; “second” fails; “third” and “fourth” are undecided.") in text
    assert "The first is 2.500 times." in text
    for verdict in result.verdicts[:3]:
        assert verdict.claim.statement in text and verdict.claim.source in text
    assert "2.5 [2, 3] times" in text and "\N{MINUS SIGN}2.5 [\N{MINUS SIGN}3" in text
    assert "above 1 " in text and "within ±1 " in text
    assert "KeyError: &#39;missing&#39;" in text


def test_a_verdict_is_a_word_and_a_colour(page):
    cards = re.findall(r'<article class="card (\w+)">.*?<p class="answer">(\w+)</p>', page, re.S)
    assert cards == [("holds", "Holds"), ("fails", "Fails"), ("undecided", "Undecided"),
                     ("undecided", "Undecided")]  # fmt: skip


def test_names_come_out_inert(result, page):
    for text in (page, notebook(result)):
        assert "<script" not in text and "<b>" not in text
        assert "&lt;script&gt;" in text


def test_figures_are_drawn_once_each_with_identifiers_of_their_own(page):
    check_outline(page)
    figures = re.findall(r'<div class="scroll" role="region"[^>]*aria-label="([^"]*)"><svg', page)
    assert figures == ["Curve", "Same curve", "Heat map"]
    drawn = [ElementTree.fromstring(svg) for svg in re.findall(r"<svg.*?</svg>", page, re.S)]
    labels = [svg.attrib["aria-label"] for svg in drawn]
    assert "Curve. Values against n, $x_1$. Axes: $n$ / points; value." in labels
    assert "Heat map. Axes: separation / sigma; n." in labels
    assert sum(label.startswith("2.5 [2, 3]; claimed above 1: holds") for label in labels) == 1
    assert "nobody needs" not in page
    for svg in drawn:
        themed = "var(--ink)" in ElementTree.tostring(svg, encoding="unicode")
        assert themed == (svg.attrib.get("class") != "mark")
    assert re.search(r'<image [^>]*href="data:image/png', page)


def test_what_failed_and_was_left_out_is_counted_with_its_reason(page):
    rows = re.findall(r'<tr><th scope="row">(.*?)</th>(.*?)</tr>', page)
    cells = {name: re.findall("<td>(.*?)</td>", rest) for name, rest in rows}
    assert (cells["Finished"], cells["Failed"], cells["Left out"]) == (["5"], ["2"], ["2"])
    assert "Boom: &lt;b&gt; First of them: experiment = demo, n = 50, link = square." in page
    assert "square needs K = 2 First of them: experiment = demo, n = 200, link = softplus." in page
    assert cells["0-abc.json"] == ["ValueError: the hash is wrong"]


def test_page_says_how_it_was_made_and_names_no_folder(result, page):
    text = words_of(page)
    assert "ordered-mix run FILE.py --size laptop --set n=50,200" in text
    assert "9 cells, size laptop" in text and "link: log, softplus, square" in text
    assert "by hash" in text and "numpy 9.9" in text and "1,234.6 seconds of one worker" in text
    assert f"{'c' * 40}, with changes" in text and "d" * 64 in text and "e" * 64 in text
    assert "Linux, Fast, 2 processors, 4.0 GiB of memory" in text
    assert text.count("2026-01-02") == 1  # the run that computed nothing is not named
    assert "place-of-the-machine" not in page


def test_same_result_gives_the_same_bytes(result, page):
    assert render(result) == page


def test_a_figure_that_fails_is_reported_in_place(tmp_path):
    result = make(tmp_path, figures={"good": curve, "bad": broken})
    report = StudyReport(result)
    page = render(report)
    check_document(page)
    assert report.problems == ["Figure 'bad' cannot be drawn: KeyError: 'colour'."]
    text = words_of(page)
    assert text.count("Figure &#39;bad&#39; cannot be drawn") == 1
    assert 'aria-label="Good"' in page and "Statement of first." in text


def test_a_study_without_claims_figures_and_records(tmp_path):
    result = make(tmp_path, run=None, claims=(), figures={})
    page = render(result)
    check_document(page)
    assert "This study tests no claim." in page and "3 cells" not in page
    assert 'href="#figures"' not in page and "6 cells" in page
    check_outline(notebook(result))


def test_notebook_is_a_fragment(result):
    fragment = notebook(result)
    assert result._repr_html_() == fragment
    assert fragment.startswith("<div") and "<html" not in fragment
    check_outline(fragment)
    assert fragment.count("<figure>") == 1 and "The first is" in fragment


@pytest.mark.parametrize(
    ("outcomes", "sentence"),
    [
        ("h", "The claim holds."),
        ("hhh", "All 3 claims hold."),
        ("f", "“a” fails."),
        ("fu", "None of 2 claims hold; “a” fails; “b” is undecided."),
        ("hfff", "1 of 4 claims hold; “b”, “c” and “d” fail."),
        ("uuuuh", "1 of 5 claims hold; 4 are undecided."),
        ("", "This study tests no claim."),
    ],
)
def test_headline_counts_the_claims(outcomes, sentence):
    effects = {"h": (2, 1.5, 3), "f": (0, -1, 0.5), "u": (1, 0, 2)}
    claims = [claim(name, *effects[one]) for name, one in zip("abcde", outcomes, strict=False)]
    assert headline([one.judge(pd.DataFrame()) for one in claims]) == sentence


def parts(*arguments):
    svg = ElementTree.fromstring(picture(claim("x", *arguments).judge(pd.DataFrame())))
    found = {}
    for node in svg:
        found.setdefault(node.get("class", node.tag), []).append(
            {name: float(value) for name, value in node.attrib.items() if name != "class"}
        )
    return found


def test_the_picture_has_the_interval_where_it_is():
    found = parts(2.5, 2.0, 3.0)
    (line,), (dot,), (margin,) = found["interval"], found["estimate"], found["margin"]
    assert (line["x1"] - margin["x1"]) / (line["x2"] - margin["x1"]) == pytest.approx(0.5, abs=0.01)
    assert dot["cx"] == pytest.approx((line["x1"] + line["x2"]) / 2, abs=0.2)
    (band,) = found["claimed"]
    assert band["x"] == margin["x1"] and band["x"] + band["width"] == pytest.approx(255)
    (band,) = parts(2.5, 2.0, 3.0, "below")["claimed"]
    assert band["x"] == 5 and band["x"] + band["width"] == pytest.approx(margin["x1"])


def test_the_picture_of_two_margins():
    inside, outside = parts(0.1, 0.0, 0.2, "within"), parts(0.1, 0.0, 0.2, "outside")
    assert len(inside["margin"]) == 2 and len(inside["claimed"]) == 1
    assert len(outside["claimed"]) == 2
    assert outside["claimed"][1]["x"] == inside["margin"][1]["x1"]


def test_the_picture_of_what_has_no_end_or_no_number():
    found = parts(2.0, 1.5, np.inf)
    assert found["interval"][0]["x2"] == 255
    nothing = claim("x", np.nan, np.nan, np.nan).judge(pd.DataFrame())
    assert picture(nothing) == "" == picture(CLAIMS[3].judge(pd.DataFrame()))
    assert parts(1.0, 1.0, 1.0)["estimate"][0]["cx"] == 130


@pytest.fixture(scope="module")
def browser(page, tmp_path_factory):
    with opened(page, tmp_path_factory.mktemp("browser")) as shown:
        yield shown


class TestInABrowser(LawsOfAPage):
    """The laws of every report."""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "selector", [".holds .answer", ".fails .answer", ".undecided .answer", ".card dt", ".findings"]
)
def test_words_stand_out_from_the_page(browser, scheme, selector):
    check_contrast(browser, selector, scheme)


def test_a_long_table_is_collapsed_on_screen_and_open_on_paper(tmp_path):
    rows = [SetAside(tmp_path / f"{number}.json", "wrong hash") for number in range(13)]
    page = render(make(tmp_path, set_aside=rows))
    check_document(page)
    assert page.count("<details><summary>Show 13 rows</summary>") == page.count("<details>") == 1
    with opened(page, tmp_path) as shown:
        assert shown.evaluate(CLOSED) == 1
        check_print(shown)
        assert "tables/" in shown.evaluate("document.body.textContent")


def test_an_animation_is_an_image_of_the_page(tmp_path):
    def moving(result):
        """A point on its way."""
        figure = Figure(figsize=(2, 2), dpi=50)
        FigureCanvasAgg(figure)
        axes = figure.subplots()
        return FuncAnimation(figure, lambda step: axes.plot(step, step, "o"), frames=3)

    study = Study(
        "moving", "Does it move?", "a test", {"moving": Experiment(lambda seed, n: [], {"n": (1,)},
        {"smoke": {}, "laptop": {}, "cluster": {}})}, figures={"path": moving},
    )  # fmt: skip
    table = pd.DataFrame({"n": [1], "seed": [0], "status": ["done"], "error": [""]})
    drawing = draw("path", StudyResult(study, tmp_path, {"moving": table}, ()))
    (image,) = re.findall(
        '<img src="data:image/gif;base64,([^"]*)" alt="Path. A point', drawing.svg
    )
    with Image.open(io.BytesIO(base64.b64decode(image))) as moved:
        assert moved.n_frames == 3
        for frame in range(3):
            moved.seek(frame)
            assert moved.convert("RGBA").getextrema()[3] == (255, 255)  # or frames would pile up
