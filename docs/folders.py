"""Pages that no one types: one for each study and each public module, from their folders.

They are written to docs/study and docs/api before Sphinx reads the sources, and the published
reports are copied to docs/extra/reports, from where the pages link them.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import shutil
from pathlib import Path

import findings

import ordered_mix
from ordered_mix.engine.run import load_study
from ordered_mix.parameterization import catalog
from ordered_mix.report.figures.interval import claimed_in_words
from ordered_mix.study.definition import Study

HERE = Path(__file__).resolve().parent
PACKAGES = {
    "ordered_mix": "Mixtures, data, comparisons",
    "ordered_mix.models": "Parameterizations",
    "ordered_mix.estimators": "Estimators and samplers",
    "ordered_mix.diagnostics": "Diagnostics",
    "ordered_mix.study": "Studies",
    "ordered_mix.report": "Reports",
}
# Machinery beneath them, which no user calls.
INTERNAL = {
    "ordered_mix": "batching columns domain fused graphs laws reading reference replicas "
    "results twin",
    "ordered_mix.study": "batches dispatch folder progress provenance schedule store tables",
}


def write() -> None:
    """Write all of them anew."""
    for folder in ("study", "api", "extra"):
        shutil.rmtree(HERE / folder, ignore_errors=True)
    pages = {f"study/{name}.md": study_page(name) for name in catalog.names("study")}
    listed = "\n".join(PACKAGES)
    pages |= {
        "study/index.md": study_list(),
        "api/index.md": f"# API reference\n\n```{{toctree}}\n:maxdepth: 2\n\n{listed}\n```\n",
    }
    for package in PACKAGES:
        modules = public_modules(package)
        pages |= {f"api/{module}.md": module_page(module) for module in [package, *modules]}
    for path, text in pages.items():
        (HERE / path).parent.mkdir(exist_ok=True)
        (HERE / path).write_text(text, encoding="utf-8")
    for name in published():
        copy = HERE / "extra" / "reports" / f"{name}.html"
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(findings.RESULTS / name / "report.html", copy)


def study_page(name: str) -> str:
    """The page of a study: what it asks and computes, its verdicts if there are any."""
    study = load_study(name)
    about = (catalog.module(name, "study").__doc__ or "").partition("\n")[2].strip()
    sizes = ", ".join(f"{len(study.cells(size)):,} at `{size}`" for size in study.sizes)
    text = published().get(name)
    found = _published(study, text) if text else _unpublished(study)
    return "\n\n".join(
        [f"# {name}", f"**{study.question}**", f"*Source:* {study.source}.".replace("..", "."),
         about, f"*Cells:* {sizes}.", found, ""]
    )  # fmt: skip


def study_list() -> str:
    """The page that lists all studies with their questions."""
    names = catalog.names("study")
    rows = [f"| [{name}]({name}.md) | {load_study(name).question} |" for name in names]
    head = """# The studies

    Each study tests claims of the literature, or of this project, whose margins were fixed before
    it was run. [Writing a study](../studies.md) says how they work.

    | study | question |
    |---|---|
    """
    toctree = ["```{toctree}", ":hidden:", "", *names, "```"]
    return "\n".join([inspect.cleandoc(head), *rows, "", *toctree, ""])


def public_modules(package: str) -> list[str]:
    """Dotted names of the modules of a package that users may call."""
    if package == "ordered_mix.report":
        return []  # its two functions are in the package itself
    path = importlib.import_module(package).__path__
    names = {info.name for info in pkgutil.iter_modules(path) if not info.ispkg}
    names -= set(INTERNAL.get(package, "").split())
    return sorted(f"{package}.{name}" for name in names if not name.startswith("_"))


def module_page(name: str) -> str:
    """The page of a module, or of a package with the list of its modules."""
    module = importlib.import_module(name)
    package = hasattr(module, "__path__")
    title = PACKAGES[name] if package else name.removeprefix("ordered_mix.")
    members = "" if module is ordered_mix else "   :members:\n"
    parts = [f"# {title}", f"```{{eval-rst}}\n.. automodule:: {name}\n{members}```"]
    if module is ordered_mix:
        parts.append(_public_names())
    if package:
        listed = "\n".join(public_modules(name))
        parts.append(f"```{{toctree}}\n:maxdepth: 1\n\n{listed}\n```" if listed else "")
    return "\n\n".join([*parts, ""])


def _public_names() -> str:
    homes = sorted(ordered_mix._HOMES.items(), key=lambda item: item[0].lower())
    rows = [f"| `ordered_mix.{name}` | {{py:obj}}`ordered_mix.{home}` |"
            for name, home in homes]  # fmt: skip
    return "\n".join(["Public names at the top:", "", "| name | where it is described |",
                      "|---|---|", *rows])  # fmt: skip


def published() -> dict[str, str]:
    """What docs/findings.md says of each study; a test holds it to the tables of the results."""
    parts = findings.PAGE.read_text(encoding="utf-8").split("\n## ")[1:]
    return {name: text for name, _, text in (part.partition("\n") for part in parts)}


def _published(study: Study, text: str) -> str:
    text = text.strip().removeprefix(study.question).strip()
    link = f"[Report](../studies/results/{study.name}/report.html)"
    copy = f'<a href="../reports/{study.name}.html">Report with the figures</a>'
    return f"## Findings\n\n{text.replace(link, copy)}"


def _unpublished(study: Study) -> str:
    rows = [f"| {claim.statement} | {claimed_in_words(claim)} | {claim.source} |"
            for claim in study.claims]  # fmt: skip
    head = f"""## No results yet

    None are published so far. This computes and publishes them:

        make study NAME={study.name}
        make findings

    | claim | claimed | source |
    |---|---|---|
    """
    return "\n".join([inspect.cleandoc(head), *rows])


if __name__ == "__main__":
    write()
