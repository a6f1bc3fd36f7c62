"""The report's page: what it says, that it is inert and self-contained, how a browser shows it."""

import base64
import io
import json
import os
import re
import select
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from importlib.metadata import version

import numpy as np
import pytest
from PIL import Image

from ordered_mix.compare import compare
from ordered_mix.data import Data
from ordered_mix.mixture import Mixture
from ordered_mix.report import notebook, render
from ordered_mix.report.tables import fixed, magnitude, percent
from ordered_mix.report.words import headline
from ordered_mix.verdicts import Verdict

NAME = "<script>alert(1)</script>"
VOID = {"meta", "link", "br", "img", "hr", "input"}


@pytest.fixture(scope="module")
def compared():
    truth = Mixture([0.4, 0.6], [0.0, 4.0], [1.0, 1.0])
    data = Data(truth.sample(80, np.random.default_rng(1)), name=NAME)
    return compare(
        data, parameterizations=("unordered", "relative"), draws=120, tune=200, chains=2, seed=3
    )


@pytest.fixture(scope="module")
def page(compared):
    return render(compared)


@pytest.fixture(scope="module")
def single():
    data = Data(np.random.default_rng(2).normal(5e4, 3e3, 40), name="one")
    return compare(
        data, components=1, parameterizations=("unordered", "ordered"), estimators=("nuts",),
        draws=100, tune=150, chains=2,
    )  # fmt: skip


class Outline(HTMLParser):
    """Elements, headings and identifiers of a page; fails on a tag that is not closed."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.headings, self.ids, self.links = [], [], [], [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_startendtag(self, tag, attributes):
        self._see(tag, dict(attributes))

    def handle_starttag(self, tag, attributes):
        self._see(tag, dict(attributes))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def _see(self, tag, attributes):
        self.tags.append((tag, attributes))
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if "id" in attributes:
            self.ids.append(attributes["id"])
        for name in ("href", "src", "action", "srcset", "data"):
            if name in attributes:
                self.links.append(attributes[name])


def check_outline(text):
    outline = Outline(text)
    assert len(outline.ids) == len(set(outline.ids))
    for tag, attributes in outline.tags:
        assert tag not in ("script", "iframe", "object", "form")
        assert not any(name.startswith("on") for name in attributes)
        if tag in ("svg", "img"):
            assert attributes.get("aria-label") or attributes.get("alt")
        if "aria-labelledby" in attributes:
            assert attributes["aria-labelledby"] in outline.ids
        if tag == "th":
            assert attributes["scope"] in ("row", "col")
    for link in outline.links:
        assert link.startswith("data:") or (link[0] == "#" and link[1:] in outline.ids)
    assert not re.search(r"url\((?!#)|@import|https?:", text)
    return outline


def test_page_is_one_document_with_headings_in_order(page):
    assert page.startswith("<!doctype html>")
    outline = check_outline(page)
    assert outline.headings[0] == 1 and outline.headings.count(1) == 1
    assert all(after <= before + 1 for before, after in zip(outline.headings, outline.headings[1:],
                                                            strict=False))  # fmt: skip
    assert len(page.encode()) < 1_000_000


def test_names_come_out_inert(compared, page):
    for text in (page, notebook(compared)):
        assert "<script" not in text
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text


def test_same_comparison_gives_the_same_bytes(compared, page):
    assert render(compared) == page
    assert notebook(compared) == notebook(compared)


def test_page_says_what_was_found_and_how(compared, page):
    text = re.sub(r"\s+", " ", re.sub("<[^>]+>", " ", page))
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
        "ordered-mix compare FILE.csv:column --parameterizations unordered,relative --draws 120 "
        "--tune 200 --chains 2 --seed 3"
    ) in text


def test_seconds_stand_apart_from_everything_else(page):
    apart = re.search(r'<div class="apart">.*?</table>', page, re.S)[0]
    assert "Seconds" in apart and "nuts unordered" in apart
    assert "econds" not in page.replace(apart, "")


def test_raw_beside_folded_for_free_labels_and_one_more(page):
    labels = re.search(r"<h3>Labels, raw beside folded</h3>.*?<h3>", page, re.S)[0]
    assert re.findall(r"<strong>(.*?)</strong>", labels) == ["nuts unordered", "nuts relative"]
    assert labels.count("raw: as sampled") == labels.count("folded: sorted by mean") == 2


def test_one_component_without_point_fits(single):
    page = render(single)
    outline = check_outline(page)
    assert sum(tag == "svg" for tag, _ in outline.tags) == 3  # density, chains, efficiency
    assert "K = 1 component<" in page and "Neighbouring means" not in page
    assert "an order needs at least two components" in page
    assert "Point estimators" not in page
    assert headline(single.verdicts) == "The fit can be trusted." or "cannot" in page


def test_notebook_is_a_fragment(compared):
    fragment = notebook(compared)
    assert compared._repr_html_() == fragment
    assert fragment.startswith("<div") and "<html" not in fragment and "<body" not in fragment
    outline = check_outline(fragment)
    assert sum(tag == "svg" for tag, _ in outline.tags) == 1
    assert len(fragment) < 100_000


def test_headline_is_one_sentence_of_the_main_answers(compared):
    asked = [
        Verdict("Can the fit be trusted?", "Yes, from nuts a.", ""),
        Verdict("Is component 3 supported?", "No: it predicts worse.", ""),
        Verdict("Which parameterization should sample?", "A tie between a and b: take one.", ""),
        Verdict("Which point estimator should fit?", "em.", ""),
    ]
    assert headline(asked) == (
        "The fit from nuts a can be trusted; a and b sample equally well; component 3 is not "
        "supported: it predicts worse."
    )
    care = Verdict("Can the fit be trusted?", "Yes, from a and b, with care: others differ.", "")
    assert headline([care]) == "The fit from a and b can be trusted, with care: others differ."
    assert headline([Verdict("Can the fit be trusted?", "Perhaps.", "")]) == (
        "Can the fit be trusted? Perhaps."
    )
    assert "?" not in headline(compared.verdicts)


def test_numbers_are_written_for_reading():
    assert fixed(1)(-1234567.06) == "\N{MINUS SIGN}1,234,567.1"
    assert fixed(2)(-0.0) == "0.00" and fixed(0)(float("nan")) == "\N{EN DASH}"
    assert percent(0.5) == "50.0%" and percent(0.0012) == "0.12%" and percent(0) == "0.0%"
    assert magnitude(13.6)(54.6149) == "54.61" and magnitude(4500.0)(20831.2) == "20,831"
    assert magnitude(1e-9)(2.34567e-9) == "2.3457e\N{MINUS SIGN}09"


FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--remote-debugging-pipe", "--hide-scrollbars",
)  # fmt: skip
LAUNCH = (
    "import fcntl, os, sys\n"
    "ends = [fcntl.fcntl(int(fd), fcntl.F_DUPFD, 100) for fd in sys.argv[1:3]]\n"
    "os.dup2(ends[0], 3); os.dup2(ends[1], 4)\n"
    "os.execv(sys.argv[3], sys.argv[3:])\n"
)


class Browser:
    """A headless Chromium, spoken to over a pipe in the Chrome DevTools protocol."""

    def __init__(self, program, profile):
        their_in, self.write_end = os.pipe()
        self.read_end, their_out = os.pipe()
        self.process = subprocess.Popen(
            [sys.executable, "-c", LAUNCH, str(their_in), str(their_out), program, *FLAGS,
             f"--user-data-dir={profile}"],
            pass_fds=(their_in, their_out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(their_in)
        os.close(their_out)
        self.buffer, self.events, self.number, self.session = b"", [], 0, None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)[
            "sessionId"
        ]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def _receive(self):
        while b"\0" not in self.buffer:
            assert select.select([self.read_end], [], [], 60)[0], "the browser does not answer"
            chunk = os.read(self.read_end, 1 << 20)
            assert chunk, "the browser has gone"
            self.buffer += chunk
        message, _, self.buffer = self.buffer.partition(b"\0")
        return json.loads(message)

    def call(self, method, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.write_end, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self.number:
                assert "error" not in answer, answer
                return answer["result"]
            self.events.append(answer)

    def open(self, path):
        self.call("Page.navigate", url=path.as_uri())
        while not any(event["method"] == "Page.loadEventFired" for event in self.events):
            self.events.append(self._receive())

    def resize(self, width, scheme="light"):
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1,
            mobile=False,
        )  # fmt: skip
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.call("Emulation.setEmulatedMedia", features=[feature])

    def evaluate(self, expression):
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"]["value"]

    def screenshot(self):
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        return np.asarray(Image.open(io.BytesIO(base64.b64decode(shot["data"]))).convert("RGB"))

    def close(self):
        os.write(self.write_end, b'{"id": 0, "method": "Browser.close"}\0')
        self.process.wait(30)
        os.close(self.write_end)
        os.close(self.read_end)


@pytest.fixture(scope="module")
def browser(page, tmp_path_factory):
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
    if program is None:
        pytest.skip("no chromium on the path: the report was not opened in a browser")
    folder = tmp_path_factory.mktemp("browser")
    (folder / "report.html").write_text(page, encoding="utf-8")
    opened = Browser(program, folder / "profile")
    opened.open(folder / "report.html")
    yield opened
    opened.close()


def test_browser_reports_no_error_and_asks_for_nothing_else(browser):
    methods = [event["method"] for event in browser.events]
    assert "Runtime.exceptionThrown" not in methods and "Log.entryAdded" not in methods
    assert "Runtime.consoleAPICalled" not in methods
    asked = [event["params"]["request"]["url"] for event in browser.events
             if event["method"] == "Network.requestWillBeSent"]  # fmt: skip
    assert len([url for url in asked if url.startswith("file:")]) == 1
    assert all(url.startswith(("file:", "data:")) for url in asked)
    assert browser.evaluate("document.title").startswith(NAME)


@pytest.mark.parametrize("width", [360, 1920])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_browser_shows_the_page_without_overflow(browser, width, scheme):
    browser.resize(width, scheme)
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    shot = browser.screenshot()
    height = browser.evaluate("document.documentElement.scrollHeight")
    assert shot.shape == (height, width, 3)
    background = shot[3, 3].astype(int)
    assert (background.mean() > 200) == (scheme == "light")
    marked = np.abs(shot.astype(int) - background).max(axis=-1) > 40
    assert 0.01 < marked.mean() < 0.6
    bands = np.array_split(marked, height // 900)
    assert min(band.mean() for band in bands) > 0.001


INSIDE = """[...document.querySelectorAll('svg')].flatMap(svg => {
  const outer = svg.getBoundingClientRect();
  return [...svg.querySelectorAll('text')].filter(text => {
    const box = text.getBoundingClientRect();
    return box.left < outer.left - 2 || box.right > outer.right + 2
      || box.top < outer.top - 2 || box.bottom > outer.bottom + 2;
  }).map(text => text.textContent);
})"""
SMALLEST = """Math.min(...[...document.querySelectorAll('svg text')].map(text => {
  const m = text.getScreenCTM();
  return parseFloat(getComputedStyle(text).fontSize) * Math.sqrt(Math.abs(m.a * m.d - m.b * m.c));
}))"""


@pytest.mark.parametrize("width", [360, 1920])
def test_words_in_figures_fit_and_can_be_read(browser, width):
    browser.resize(width)
    assert browser.evaluate(INSIDE) == []
    assert browser.evaluate(SMALLEST) >= 8


def luminance(colour):
    channels = np.array([int(value) for value in re.findall(r"\d+", colour)[:3]]) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("selector", ["h1", ".note", ".card .reason", ".card h3", "nav a", "dt"])
def test_words_stand_out_from_the_page(browser, scheme, selector):
    browser.resize(1280, scheme)
    colours = [
        f"getComputedStyle(document.querySelector('{selector}')).color",
        f"getComputedStyle(document.querySelector('{selector}').closest('.card') ?? document.body)"
        ".backgroundColor",
    ]
    low, high = sorted(luminance(browser.evaluate(expression)) for expression in colours)
    assert (high + 0.05) / (low + 0.05) >= 4.5
