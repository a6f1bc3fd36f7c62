"""Studies: a grid of cells that is computed once, and claims that are tested on its table."""

from ordered_mix.study.claims import Claim, Effect, Verdict
from ordered_mix.study.definition import Opening, Result, Study
from ordered_mix.study.grid import seed_of

__all__ = ["Claim", "Effect", "Opening", "Result", "Study", "Verdict", "seed_of"]
