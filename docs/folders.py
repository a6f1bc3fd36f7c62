"""Pages that no one types: one for each study, and the reference by rooms, from their folders.

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
from ordered_mix.study.experiment import SIZES

HERE = Path(__file__).resolve().parent
PAGES = {
    "fitted": ("Fitting", ("fitted",)),
    "compare": ("Comparing and diagnosing", ("compare",)),
    "data": (
        "Data, mixtures and priors",
        ("data", "stream", "mixture", "prior", "distributions"),
    ),
    "multivariate": ("Several dimensions", ("multivariate",)),
    "parameterization": ("Parameterizations", ("parameterization", "models")),
    "estimators": ("Estimators", ("estimators", "optima", "estimators.loop")),
    "samplers": ("Samplers", ("samplers", "samplers.moves")),
    "draws": ("Draws: labels, convergence, prediction", ("draws", "draws.relabel")),
    "passes": ("The pass over the data", ("passes",)),
    "theory": ("What the studies measure", ("theory",)),
    "study": ("Studies, as their authors write them", ("study",)),
    "engine": ("Running studies", ("engine",)),
    "report": ("Reports", ("report",)),
    "references": ("Reference posteriors", ("references", "references.entrants")),
}
"""Pages of the reference: their titles, and the packages or modules on each."""
INTERNAL = {
    "parameterization": "batching domain graphs laws maps multivariate_maps operations prior_draws "
    "reference symbols tape tracing",
    "estimators.loop": "affine bounds clearance climb coordinates coordinates_multivariate "
    "em_multivariate expectation lockstep metric optimiser penalty problem problem_multivariate "
    "record runs scale_gaps standard tempered_pass transforms",
    "passes": "addresses batches fused",
    "stream": "ahead sums workers",
    "engine": "batches dispatch folder progress provenance schedule store tables",
    "references": "augmentation plain writing",
    "report": "contents of_comparison of_diagnosis of_fit of_points of_study page study_setup "
    "words",
}
"""Machinery beneath them, which no user calls."""


def write() -> None:
    """Write all of them anew."""
    for folder in ("study", "api", "extra"):
        shutil.rmtree(HERE / folder, ignore_errors=True)
    pages = {f"study/{name}.md": study_page(name) for name in catalog.names("study")}
    pages |= {"study/index.md": study_list(), "api/index.md": reference()}
    pages |= {f"api/{name}.md": reference_page(name) for name in PAGES}
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
    sizes = ", ".join(f"{len(study.cells(size)):,} at `{size}`" for size in SIZES)
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


def public_modules(name: str) -> list[str]:
    """Dotted names of a package and of its modules that users may call, or of a single module."""
    home = importlib.import_module(f"ordered_mix.{name}")
    if not hasattr(home, "__path__"):
        return [home.__name__]
    found = {info.name for info in pkgutil.iter_modules(home.__path__) if not info.ispkg}
    found -= set(INTERNAL.get(name, "").split())
    return [home.__name__, *sorted(f"{home.__name__}.{one}" for one in found)]


def reference() -> str:
    """The first page of the reference: the public names, then the pages."""
    listed = "\n".join(PAGES)
    return "\n\n".join(
        ["# API reference", "What `import ordered_mix` gives:", _public_names(),
         "The pages below describe them, and the modules that they are made of.",
         f"```{{toctree}}\n:maxdepth: 1\n\n{listed}\n```", ""]
    )  # fmt: skip


def reference_page(name: str) -> str:
    """One page: every public module of its packages, one after the other."""
    title, packages = PAGES[name]
    modules = [module for package in packages for module in public_modules(package)]
    return "\n\n".join([f"# {title}", *map(_module, modules), ""])


def _module(name: str) -> str:
    package = hasattr(importlib.import_module(name), "__path__")
    members = "" if package and name != "ordered_mix.report" else "   :members:\n"
    return f"## {name}\n\n```{{eval-rst}}\n.. automodule:: {name}\n{members}```"


def _public_names() -> str:
    homes = sorted(ordered_mix._HOMES.items(), key=lambda item: item[0].lower())
    rows = []
    for name, home in homes:
        said = inspect.getdoc(getattr(ordered_mix, name)) or ""
        rows.append(f"| {{py:obj}}`{name} <ordered_mix.{home}>` | {said.partition(chr(10))[0]} |")
    return "\n".join(["| name | |", "|---|---|", *rows])


def published() -> dict[str, str]:
    """What docs/claims.md says of each study; a test holds it to the tables of the results."""
    parts = findings.CLAIMS.read_text(encoding="utf-8").split("\n## ")[1:]
    told = {name: text for name, _, text in (part.partition("\n") for part in parts)}
    return {name: text for name, text in told.items() if name in catalog.names("study")}


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
