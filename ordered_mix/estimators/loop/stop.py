"""Stopping rules, the same for all estimators that run in the common loop."""

from __future__ import annotations

from dataclasses import dataclass

RULES = ("", "log_likelihood", "parameters", "gradient", "passes")
"""What ends a run, by its code; the first is none."""


@dataclass(frozen=True)
class Stop:
    """Stopping rules; the first one met ends a run, 0 switches a rule off.

    Parameters
    ----------
    log_likelihood : float
        Change of the (total) log likelihood, or of the objective, from one iteration to the next.
        Never tighter than the rounding of the log likelihood itself.
    parameters : float
        Largest change of a mean or a scale in units of the scale, or of a weight.
    gradient : float
        Norm of the gradient of the objective for one unit of weight, in the coordinates' units.
    passes : int
        Budget of passes over the data for each run.

    Raises
    ------
    ValueError
        If a tolerance is negative or the budget is below 1.
    """

    log_likelihood: float = 1e-9
    parameters: float = 0.0
    gradient: float = 0.0
    passes: int = 10_000

    def __post_init__(self) -> None:
        for name in ("log_likelihood", "parameters", "gradient"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must be at least 0, got {getattr(self, name)}")
        if self.passes < 1:
            raise ValueError(f"passes must be at least 1, got {self.passes}")
