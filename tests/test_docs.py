"""The documentation's sources: nothing left out, every link leads somewhere."""

import ast
import re
import runpy
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest

import ordered_mix
from ordered_mix.parameterization import catalog

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.md"))
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
SCRIPTS = [*EXAMPLES, *sorted((DOCS / "tutorial").glob("*.py"))]
LINK = re.compile(r"(?<!`)\[[^\]]*\]\(([^)\s]+)\)")
WRITTEN = ("auto/", "api/", "study/", "extra/")


@pytest.fixture(scope="module")
def folders():
    """docs/folders.py, which writes the pages of studies and modules."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [str(DOCS), *sys.path])
        return runpy.run_path(str(DOCS / "folders.py"))


def in_toctree(text):
    """Entries of all toctrees of a page."""
    blocks = re.findall(r"```\{toctree\}\n(.*?)```", text, flags=re.DOTALL)
    lines = [line.strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line and not line.startswith(":")]


def anchors(text):
    """Anchors of a Markdown page's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


def test_every_page_is_in_the_table_of_contents():
    listed = in_toctree((DOCS / "index.md").read_text(encoding="utf-8"))
    assert len(listed) == len(set(listed))
    typed = {entry for entry in listed if not entry.startswith(WRITTEN)}
    pages = {page.stem for page in PAGES} - {"index"}
    assert not [page for page in pages if not any(fnmatch(page, entry) for entry in typed)]
    assert {entry for entry in typed if "*" not in entry} <= pages
    assert {"auto/tutorial/index", "auto/examples/index", "study/index", "api/index"} < set(listed)


def test_every_study_has_a_page(folders):
    names = catalog.names("study")
    assert in_toctree(folders["study_list"]()) == names
    for name in names:
        page = folders["study_page"](name)
        assert page.startswith(f"# {name}\n")
        published = name in folders["published"]()
        assert (f'href="../reports/{name}.html"' in page) == published
        assert (f"make study NAME={name}" in page) == (not published)


def test_the_reference_opens_on_the_public_names(folders):
    first = folders["reference"]()
    assert in_toctree(first) == list(folders["PAGES"])
    for name, home in ordered_mix._HOMES.items():
        assert f"`{name} <ordered_mix.{home}>`" in first
    assert len(folders["PAGES"]) < 15


def test_every_public_module_is_on_one_page(folders):
    pages = [folders["reference_page"](name) for name in folders["PAGES"]]
    shown = [module for page in pages for module in re.findall(r"automodule:: (\S+)", page)]
    assert len(shown) == len(set(shown))
    homes = {f"ordered_mix.{home.rpartition('.')[0]}" for home in ordered_mix._HOMES.values()}
    assert homes <= set(shown)
    for name, internal in folders["INTERNAL"].items():
        folder = ROOT / "ordered_mix" / name.replace(".", "/")
        missing = [one for one in internal.split() if not (folder / f"{one}.py").is_file()]
        assert not missing, f"docs/folders.py leaves out modules that are not there: {missing}"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_short(path):
    text = path.read_text(encoding="utf-8")
    body = text.split('"""', 2)[2].strip().splitlines()
    code = [line for line in body if line.strip()]
    assert 5 <= len(code) <= 30, f"{len(code)} lines"


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_says_what_it_is(path):
    said = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    title, underline, _, *about = said.splitlines()
    assert len(underline) >= len(title) and set(underline) == {"="}
    assert about


def test_there_are_examples():
    assert len(EXAMPLES) >= 6 and len(SCRIPTS) > len(EXAMPLES)


@pytest.mark.parametrize("page", [ROOT / "README.md", *PAGES], ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")
    text = re.sub(r"```(?!\{).*?```", "", text, flags=re.DOTALL)
    for link in LINK.findall(text):
        if link.startswith(("http://", "https://")):
            continue
        target, _, anchor = link.partition("#")
        if target.startswith(WRITTEN):
            assert written(target), f"{page.name} links to {link}"
            continue
        file = (page.parent / target).resolve() if target else page
        if file.parent == DOCS and not file.suffix:
            file = file.with_suffix(".md")
        assert file.exists(), f"{page.name} links to {link}"
        assert not anchor or anchor in anchors(file.read_text(encoding="utf-8")), link


def written(target):
    """Whether a page that is written when the site is built will be there."""
    folder, _, name = target.partition("/")
    name = name.removesuffix(".md")
    if folder == "study":
        return name in {"index", *catalog.names("study")}
    scripts = {f"{path.parent.name}/{path.stem}" for path in SCRIPTS}
    return folder == "auto" and name in {"tutorial/index", "examples/index", *scripts}
