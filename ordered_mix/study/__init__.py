"""Studies: experiments that are computed once, and claims that are tested on their tables."""

from ordered_mix.study.claims import Claim, Effect, Verdict
from ordered_mix.study.definition import Study
from ordered_mix.study.experiment import Experiment, Result
from ordered_mix.study.grid import seed_of

__all__ = ["Claim", "Effect", "Experiment", "Result", "Study", "Verdict", "seed_of"]
