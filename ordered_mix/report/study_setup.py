"""How a study was made, from what its folder says: terms and descriptions."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ordered_mix.parameterization import catalog
from ordered_mix.report.tables.of_study import seen
from ordered_mix.study.result import PROVENANCE

if TYPE_CHECKING:
    from ordered_mix.study.result import StudyResult

MOST_VALUES = 12


def runs_of(result: StudyResult) -> list[dict[str, Any]]:
    """Records of the runs that wrote to the folder, the oldest first; empty if there are none."""
    try:
        return json.loads((result.path / PROVENANCE).read_text(encoding="utf-8"))["runs"]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def last_run(result: StudyResult) -> dict[str, Any]:
    """Record of the run that wrote the table; empty if there is none."""
    runs = runs_of(result)
    return runs[-1] if runs else {}


def cells_in_words(result: StudyResult, run: Mapping[str, Any]) -> str:
    """The size and how many cells it has."""
    total = run.get("cells", seen(result.study, result.rows))
    size = f", size {run['size']}" if "size" in run else ""
    return f"{total:,} cell{'s' if total != 1 else ''}{size}"


def setup(result: StudyResult, run: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Everything needed to make the study again."""
    runs = runs_of(result)
    computing = [one for one in runs if one.get("computed")] or runs
    terms = [
        ("Study", f"{result.study.name}, {cells_in_words(result, run)}"),
        *((f"Factors of {name}", _factors(result, name)) for name in result.study.experiments),
        ("Seeds", run.get("seeds", "")),
        ("To run it again", command(result, run)),
        ("Command line", "; ".join(dict.fromkeys(one.get("command", "") for one in computing))),
        ("Computed", _when(computing)),
        ("Time", _seconds(run)),
        ("Hardware", "; ".join(dict.fromkeys(_hardware(one) for one in computing))),
        ("Versions", "; ".join(dict.fromkeys(_versions(one) for one in computing))),
        ("Git commit", "; ".join(dict.fromkeys(_commit(one) for one in computing))),
        ("SHA-256 of the study's file", ", ".join(_all(computing, "code"))),
        ("SHA-256 of the lock file", ", ".join(_all(computing, "lock"))),
    ]
    return [(term, text) for term, text in terms if text]


def command(result: StudyResult, run: Mapping[str, Any]) -> str:
    """The command that computes the study again."""
    name = result.study.name
    words = ["ordered-mix", "run", name if name in catalog.names("study") else "FILE.py"]
    words += ["--size", run["size"]] if "size" in run else []
    asked = run.get("experiments", [])
    if len(asked) < len(result.study.experiments):
        words += [word for name in asked for word in ("--experiment", name)]
    for factor, values in run.get("overrides", {}).items():
        words += ["--set", f"{factor}={','.join(map(str, values))}"]
    return shlex.join(words)


def _factors(result: StudyResult, experiment: str) -> str:
    described, rows = [], result.rows[experiment]
    for name in result.study.experiments[experiment].factors if len(rows) else ():
        values = [_plain(value) for value in rows[name].drop_duplicates()]
        shown = ", ".join(values)
        if len(values) > MOST_VALUES:
            shown = f"{values[0]}, {values[1]}, …, {values[-1]} ({len(values)} values)"
        described.append(f"{name}: {shown}")
    return "; ".join(described)


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _when(runs: list[dict[str, Any]]) -> str:
    started = [one["started"] for one in runs if "started" in one]
    if len(started) < 2:
        return f"begun {started[0]}" if started else ""
    return f"in {len(started)} runs, the first begun {started[0]}, the last {started[-1]}"


def _seconds(run: Mapping[str, Any]) -> str:
    if "seconds" not in run:
        return ""
    return f"{run['seconds']:,.1f} seconds of one worker, all cells together"


def _hardware(run: Mapping[str, Any]) -> str:
    found = run.get("hardware", {})
    words = [found.get("system", ""), found.get("processor", "")]
    if "processors" in found:
        words += [f"{found['processors']} processors", f"{found['memory_gib']} GiB of memory"]
    return ", ".join(filter(None, words))


def _versions(run: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {version}" for name, version in run.get("versions", {}).items())


def _commit(run: Mapping[str, Any]) -> str:
    git = run.get("git")
    if not git:
        return ""
    return git["commit"] + (", with changes" if git["changed"] else "")


def _all(runs: list[dict[str, Any]], name: str) -> list[str]:
    return list(dict.fromkeys(filter(None, (one.get(name) for one in runs))))
