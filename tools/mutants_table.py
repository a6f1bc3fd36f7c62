"""Write what became of the random changes as tools/mutants.md."""

import tomllib
from collections import Counter

from scipy.stats import binomtest

HEAD = """# Random changes that the tests notice

Written by `make mutants`: of {drawn} changes of the code at random places (seed {seed}), {number}
were tried. `tools/mutants_draw.py` says how they are drawn, `tools/mutants.py` which tests run.
Intervals are Wilson's, of 95%.

| | first run | after work on the tests |
|-|-|-|
| Killed | {first} | {last} |

The second column is about the changes that the tests were then written for, so it says less about
others. {equivalent} of the {survivors} survivors change nothing that can be observed
(`tools/mutants_equivalent.toml` has the reasons); they count as survivors all the same.

| Module | Mutants | Killed | Survived | Share killed |
|-|-|-|-|-|
"""


def share(killed, number):
    low, high = binomtest(killed, number).proportion_ci(method="wilson")
    return f"{killed / number:.0%} ({low:.0%} to {high:.0%})"


def of(killed, number):
    return f"{killed} of {number}: {share(killed, number)}"


def row(name, outcomes):
    killed, number = sum(outcomes), len(outcomes)
    return f"| {name} | {number} | {killed} | {number - killed} | {share(killed, number)} |"


def rows(last):
    """One row per module, then the parts, then all."""
    groups = {}
    for result in last:
        path = result["path"]
        part = path.rsplit("/", 1)[0] + "/" if path.count("/") > 1 else path
        for order, name in enumerate((path, f"**{part}**", "**all**")):
            groups.setdefault((order, name), []).append(result["killed"])
    return [row(name, outcomes) for (_, name), outcomes in sorted(groups.items())]


def reasons(folder):
    """Why survivors are equivalent to the code, by their file and changed lines."""
    text = (folder / "mutants_equivalent.toml").read_text(encoding="utf-8")
    entries = tomllib.loads(text).get("equivalent", [])
    return {(entry["path"], entry["old"], entry["new"]): entry["reason"] for entry in entries}


def changed_lines(result):
    texts = [[line[1:].strip() for line in result["diff"] if line[0] == sign] for sign in "-+"]
    return result["path"], *(" ".join(text) for text in texts)


def survivor(result, why):
    reason = f"\nEquivalent: {why}\n" if why else ""
    diff = "\n".join(line for line in result["diff"] if not line.startswith("@@"))
    return f"\n`{result['path']}`, line {result['line']}\n{reason}\n```diff\n{diff}\n```\n"


def write_table(histories, folder, seed):
    """Write the table of all changes that were tried; each has its results in order."""
    tried = [history for history in histories if history]
    last, known = [history[-1] for history in tried], reasons(folder)
    survivors = [result for result in last if not result["killed"]]
    why = [known.get(changed_lines(result)) for result in survivors]
    head = HEAD.format(
        drawn=len(histories),
        number=len(tried),
        seed=seed,
        first=of(sum(history[0]["killed"] for history in tried), len(tried)),
        last=of(len(last) - len(survivors), len(last)),
        equivalent=sum(map(bool, why)),
        survivors=len(survivors),
    )
    by = Counter("a time limit" if one["by"] == "time limit" else "a test" for one in last)
    print(f"{share(len(last) - len(survivors), len(last))} killed, {by['a time limit']} by time")
    text = head + "\n".join(rows(last)) + "\n\n## Survivors\n"
    text += "".join(map(survivor, survivors, why))
    (folder / "mutants.md").write_text(text, encoding="utf-8")
