"""Draw random changes of the code for `make mutants`.

A place in the code is drawn first, then one of the changes that cosmic-ray knows for it: of all
changes, two thirds replace an arithmetic operator, most by one that no float has. Annotations are
left alone, and changes of white space are none.
"""

import ast
import difflib
import random
from collections import defaultdict
from pathlib import Path

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

ROOT = Path(__file__).parents[1]
PARTS = tuple(
    f"ordered_mix/{name}" for name in ("draws", "estimators", "parameterization", "theory")
)


def annotations(source):
    """Spans of the annotations in a source text."""
    for node in ast.walk(ast.parse(source)):
        for field in ("annotation", "returns"):
            if (found := getattr(node, field, None)) is not None:
                start = found.lineno, found.col_offset
                yield start, (found.end_lineno, found.end_col_offset)


def places(path):
    """Places of a file that can be changed, each with its changes (operator, occurrence)."""
    source = (ROOT / path).read_text(encoding="utf-8")
    spans, nodes = list(annotations(source)), list(ast_nodes(get_ast(source)))
    found = defaultdict(list)
    for name in operator_names():
        if (operator := get_operator(name)).arguments():
            continue
        positions = (position for node in nodes for position in operator().mutation_positions(node))
        for occurrence, (start, end) in enumerate(positions):
            if not any(first <= start < last for first, last in spans):
                found[path, start, end].append((name, occurrence))
    return found


def change(path, operator, occurrence):
    """Text of a file before and after a change; None after one that only moves white space."""
    before = (ROOT / path).read_text(encoding="utf-8")
    after = mutate_code(before, get_operator(operator)(), occurrence)
    try:
        same = ast.dump(ast.parse(before)) == ast.dump(ast.parse(after))
    except SyntaxError:
        same = True
    return before, None if same else after


def draw(number, seed):
    """Changes at places drawn at random, as dictionaries."""
    files = [file for part in PARTS for file in sorted([ROOT / part, *(ROOT / part).glob("*.py")])]
    paths = [file.relative_to(ROOT).as_posix() for file in files if file.is_file()]
    possible = {place: changes for path in paths for place, changes in places(path).items()}
    rng, drawn = random.Random(seed), []
    for place in rng.sample(sorted(possible), len(possible)):
        if len(drawn) == number:
            break
        path, (line, _), _ = place
        operator, occurrence = rng.choice(possible[place])
        before, after = change(path, operator, occurrence)
        if after is not None:
            texts = before.splitlines(), after.splitlines()
            diff = [text.rstrip() for text in difflib.unified_diff(*texts, n=0, lineterm="")][3:]
            where = {"path": path, "line": line, "operator": operator, "occurrence": occurrence}
            drawn.append({**where, "diff": diff})
    return drawn
