"""Published results: judged again, their reports inert, and the documents that repeat them."""

import html
import json
import re
import runpy
import subprocess
from functools import cache
from pathlib import Path

import pandas as pd
import pytest
from pages import check_document, words_of

from ordered_mix.engine.outcome import load_result
from ordered_mix.engine.run import load_study
from ordered_mix.parameterization.catalog import names
from ordered_mix.study import Claim, Effect
from ordered_mix.study.result import verdict_table
from ordered_mix.study.sentences import findings

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "studies" / "results"
PUBLISHED = sorted(path.name for path in RESULTS.glob("*") if path.is_dir())
FILES = {"timings.parquet", "provenance.json", "report.html", "study.json", "verdicts.json"}
PLACE = re.compile(r"(?<![\w.>/])/(?:home|root|tmp|work|usr|opt|mnt|var|Users)/\w|file:|\w:\\\\")
EACH = pytest.mark.parametrize("name", PUBLISHED)

pytestmark = pytest.mark.skipif(not PUBLISHED, reason="published results are in the repository")


@cache
def result(name):
    return load_result(load_study(name), RESULTS / name)


@pytest.fixture(scope="module")
def script():
    return runpy.run_path(str(ROOT / "docs" / "findings.py"))


@EACH
def test_claims_judged_again_give_the_published_verdicts(name):
    written = pd.DataFrame(json.loads((RESULTS / name / "verdicts.json").read_text()))
    again = verdict_table(result(name).verdicts)
    numbers = ["effect", "low", "high"]
    words = [column for column in again if column not in [*numbers, "reason"]]
    assert written[words].to_dict("records") == again[words].to_dict("records")
    for column in numbers:  # to rounding, which differs between processors
        assert written[column].astype(float).tolist() == pytest.approx(
            again[column].tolist(), rel=1e-9, nan_ok=True
        )


@EACH
def test_the_whole_laptop_size_is_published(name):
    run = json.loads((RESULTS / name / "provenance.json").read_text())["runs"][-1]
    cells = load_study(name).cells("laptop")
    assert (run["size"], run["overrides"], run["cells"]) == ("laptop", {}, len(cells))
    for experiment, rows in result(name).rows.items():
        own = [cell.factors for cell in cells if cell.experiment == experiment]
        wanted, factors = pd.DataFrame(own).astype(str), list(own[0])
        found = rows[factors].drop_duplicates().astype(str)
        missing = len(wanted) - len(wanted.merge(found, on=factors))
        assert missing == 0, f"{missing} cells of {experiment} at laptop size are not in its table"


@EACH
def test_findings_are_a_paragraph(name):
    text = findings(result(name))
    assert "\n" not in text and len(text) > 100 and text.endswith(".")
    assert "nan" not in text.lower().split()
    for claim in load_study(name).claims:
        for words in (claim.words,) if isinstance(claim.words, str) else claim.words:
            assert not words or ((words[0].isupper() or words[0] == "{") and words.endswith("."))


@EACH
def test_the_report_is_of_these_results_and_inert(name):
    page = (RESULTS / name / "report.html").read_text(encoding="utf-8")
    assert len(page.encode()) < 3_000_000
    check_document(page)
    text = words_of(page)
    study = load_study(name)
    assert "cannot be drawn" not in text and "cannot be computed" not in text
    for verdict in result(name).verdicts:
        assert f'<p class="answer">{verdict.outcome.capitalize()}</p>' in page
    assert f"run {name} --size laptop" in text
    drawn = re.findall(r'<div class="scroll(?: paper)?" [^>]*><(?:svg|img)', page)
    assert len(drawn) == len(study.figures)


@EACH
def test_what_is_published_names_no_folder_of_a_machine(name):
    for file in sorted(RESULTS.joinpath(name).iterdir()):
        if file.suffix in (".json", ".html"):
            assert not PLACE.findall(file.read_text(encoding="utf-8")), file.name
    for rows in result(name).rows.values():
        errors = rows["error"].dropna().astype(str).unique()
        assert not [error for error in errors if PLACE.search(error)]


def test_only_results_are_in_git():
    asked = ["git", "-C", str(ROOT), "ls-files", "studies/results"]
    listed = subprocess.run(asked, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not in a git checkout")
    for line in listed.stdout.split():
        study, *inside = Path(line).parts[2:]
        assert study in names("study"), line
        if inside[0] == "tables":
            assert Path(inside[1]).stem in load_study(study).experiments, line
        else:
            assert inside[0] in FILES, line


def test_documents_say_what_was_published(script):
    found = [result(name) for name in PUBLISHED]
    assert script["published"]() == PUBLISHED
    page = (ROOT / "docs" / "findings.md").read_text(encoding="utf-8")
    assert page == script["page"](found), "run `make findings`"
    for name, text in (("claims", "claims_page"), ("changes", "changes_page")):
        page = (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")
        assert page == script[text](found), "run `make findings`"
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert readme == script["readme"](readme, found), "run `make findings`"


def test_every_line_of_advice_rests_on_a_claim_that_is_decided():
    text = (ROOT / "docs" / "decide.md").read_text(encoding="utf-8")
    part = text.partition("## Which parameterization, sampler and adaptation?")[2]
    rows = [row for row in part.partition("\n## ")[0].splitlines() if row.startswith("| ")][1:]
    assert len(rows) > 8
    for row in rows:
        links = re.findall(r"\[(\w+): ([^\]]+)\]\(claims\.md#(\w+)\)", row)
        assert links, row
        for study, claim, anchor in links:
            verdicts = {one.claim.name: one for one in result(study).verdicts}
            assert study == anchor and verdicts[claim].outcome in ("holds", "fails"), claim


def test_every_change_of_a_verdict_is_explained(script):
    now = {
        (name, one.claim.name): one.outcome for name in PUBLISHED for one in result(name).verdicts
    }
    before = pd.read_csv(script["BEFORE"], keep_default_na=False)
    assert len(before) == 227 and not before.duplicated(["study", "claim"]).any()
    for row in before.itertuples():
        changed = now.get((row.study, row.claim)) != row.outcome
        assert not changed or row.why, f"{row.study}: {row.claim} needs a reason"


def test_claims_that_went_are_not_made_and_say_why(script):
    now = {(name, one.claim.name) for name in PUBLISHED for one in result(name).verdicts}
    gone = pd.read_csv(script["DROPPED"], keep_default_na=False)
    assert not gone.duplicated(["study", "claim"]).any()
    assert not set(zip(gone["study"], gone["claim"], strict=True)) & now
    assert (gone["why"] != "").all() and set(gone["outcome"]) <= {"holds", "fails", "undecided"}


def test_reports_open_with_two_sentences_and_three_findings(script):
    for name in PUBLISHED:
        study = load_study(name)
        assert len(study.answer) in (1, 2) and len(set(study.chief)) == 3, name
        told, points = script["answer"](result(name)), script["chief"](result(name))
        assert len(points) == 3 and all(re.search(r"\d", point) for point in points)
        assert re.search(r"\d", told) and told.endswith(".")
        page = html.unescape(words_of((RESULTS / name / "report.html").read_text(encoding="utf-8")))
        assert told in " ".join(page.split())


def test_what_is_needed_follows_from_the_interval(script):
    def told(*effect, direction="above", margin=0.0):
        given = Claim("n", "s.", "here", lambda table: Effect(*effect), direction, margin)
        return script["needed"](given.judge(pd.DataFrame()))

    assert told(1.0, -1.0, 3.0, 20) == "About 80 observations in place of 20."
    assert told(0.5, 0.0, 1.2, 10, direction="within", margin=1.0).startswith("About 20 ")
    assert "more than 2,000" in told(1e-9, -1.0, 1.0, 20)
    assert "finer grid" in told(0.1, -0.1, 0.3)


def test_links_to_results_lead_somewhere():
    for file in (ROOT / "README.md", ROOT / "docs" / "findings.md"):
        targets = re.findall(r"\]\(([^)#]*(?:results/|findings)[^)#]*)", file.read_text("utf-8"))
        ours = [target for target in targets if not target.startswith("benchmarks")]
        assert len(ours) >= len(PUBLISHED)
        for target in ours:
            assert (file.parent / target).is_file(), f"{file.name} links to {target}"
