"""How a page of the report is looked at: its outline, and a headless Chromium that opens it."""

import base64
import importlib.util
import io
import json
import os
import re
import select
import shutil
import subprocess
import sys
from contextlib import contextmanager
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

VOID = {"meta", "link", "br", "img", "hr", "input"}


class LawsOfAPage:
    """What holds of every report in a browser; the file has a fixture ``browser``."""

    def test_browser_reports_no_error_and_asks_for_nothing_else(self, browser):
        check_silence(browser)

    @pytest.mark.parametrize("width", [360, 1920])
    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_browser_shows_the_page_without_overflow(self, browser, width, scheme):
        check_layout(browser, width, scheme)

    @pytest.mark.parametrize("width", [360, 1920])
    def test_words_in_figures_fit_and_can_be_read(self, browser, width):
        check_words_in_figures(browser, width)

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_axe_finds_nothing(self, browser, scheme):
        check_accessibility(browser, scheme)

    def test_it_fits_paper(self, browser):
        check_print(browser)


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


def check_document(page):
    """A whole page: one main heading first, and none that skips a level."""
    assert page.startswith("<!doctype html>")
    outline = check_outline(page)
    assert outline.headings[0] == 1 and outline.headings.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(outline.headings))
    return outline


def words_of(page):
    """The text of a page, tags left out and white space run together."""
    return re.sub(r"\s+", " ", re.sub("<[^>]+>", " ", page))


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

    def resize(self, width, scheme="light", media=""):
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1,
            mobile=False,
        )  # fmt: skip
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.call("Emulation.setEmulatedMedia", media=media, features=[feature])

    def evaluate(self, expression):
        found = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
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


@contextmanager
def opened(page, folder):
    """The page in a browser; skips the test if there is none."""
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
    if program is None:
        pytest.skip("no chromium on the path: the report was not opened in a browser")
    (folder / "report.html").write_text(page, encoding="utf-8")
    browser = Browser(program, folder / "profile")
    browser.open(folder / "report.html")
    try:
        yield browser
    finally:
        browser.close()


def check_silence(browser):
    """No error and no message in the console, and no request but for the page itself."""
    methods = [event["method"] for event in browser.events]
    assert "Runtime.exceptionThrown" not in methods and "Log.entryAdded" not in methods
    assert "Runtime.consoleAPICalled" not in methods
    asked = [event["params"]["request"]["url"] for event in browser.events
             if event["method"] == "Network.requestWillBeSent"]  # fmt: skip
    assert len([url for url in asked if url.startswith("file:")]) == 1
    assert all(url.startswith(("file:", "data:")) for url in asked)


def check_layout(browser, width, scheme):
    """The page fits the width, has the background of the scheme, and no band of it is empty."""
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


PAPER = 718
"""Width of A4 less its margins, in pixels."""
CLOSED = """[...document.querySelectorAll('details')].filter(
  details => details.getBoundingClientRect().height < 100).length"""


def check_print(browser):
    """On paper nothing is cut off, and sorted tables are open."""
    browser.resize(PAPER, media="print")
    assert browser.evaluate("document.documentElement.scrollWidth") <= PAPER
    assert browser.evaluate(CLOSED) == 0
    browser.resize(PAPER)


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


def check_words_in_figures(browser, width):
    """They stay inside and are at least 8 pixels high."""
    browser.resize(width)
    assert browser.evaluate(INSIDE) == []
    assert browser.evaluate(SMALLEST) >= 8


def luminance(colour):
    channels = np.array([int(value) for value in re.findall(r"\d+", colour)[:3]]) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


def check_contrast(browser, selector, scheme):
    """Text stands out from what is behind it, at least 4.5 to 1 (WCAG 2.2, level AA)."""
    browser.resize(1280, scheme)
    colours = [
        f"getComputedStyle(document.querySelector('{selector}')).color",
        f"getComputedStyle(document.querySelector('{selector}').closest('.card, pre') ?? "
        "document.body).backgroundColor",
    ]
    low, high = sorted(luminance(browser.evaluate(expression)) for expression in colours)
    assert (high + 0.05) / (low + 0.05) >= 4.5


VIOLATIONS = """axe.run().then(found => found.violations.flatMap(rule =>
  rule.nodes.map(node => `${rule.id}: ${node.failureSummary} ${node.html.slice(0, 200)}`)))"""


def check_accessibility(browser, scheme):
    """None of the rules of axe-core is violated, on a narrow and on a wide page."""
    package = importlib.util.find_spec("axe_playwright_python")
    if package is None:
        pytest.skip("axe-core is not installed: pip install 'ordered_mix[accessibility]'")
    script = Path(package.origin).with_name("axe.min.js").read_text(encoding="utf-8")
    browser.evaluate(f"{script}; 0")
    for width in (360, 1920):
        browser.resize(width, scheme)
        assert browser.evaluate(VIOLATIONS) == []
