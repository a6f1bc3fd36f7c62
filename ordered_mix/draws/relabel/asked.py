"""What the arguments of `relabel` say the draws are."""

from __future__ import annotations

from dataclasses import dataclass

import xarray as xr
from numpy.typing import ArrayLike

from ordered_mix.draws.relabel.methods import hint
from ordered_mix.draws.relabel.named import Given

NORMAL = "normal"
DEFAULTS = {"mu": "mu", "sigma": "sigma", "weights": "w"}


@dataclass(frozen=True)
class Asked:
    """The arguments of `relabel` that say what the draws are."""

    mu: Given = "mu"
    sigma: Given = "sigma"
    weights: Given = "w"
    tau: Given = None
    chol: Given = None
    cov: Given = None
    parameters: tuple[str, ...] = ()
    separate: tuple[tuple[str, ...], ...] = ()
    responsibilities: str | ArrayLike | None = None
    log_likelihood: str | ArrayLike | None = None
    allocations: tuple[str, ...] = ()
    y: ArrayLike | None = None
    dims: tuple[str, ...] | None = None
    seed: int = 0
    group: str = "posterior"
    likelihood: str | None = None

    def __post_init__(self) -> None:
        if self.likelihood is None:
            return
        if self.likelihood != NORMAL:
            raise ValueError(
                f"likelihood must be {NORMAL!r} or not be given, got {self.likelihood!r}"
                f"{hint(str(self.likelihood), [NORMAL])}"
            )
        if self.responsibilities is not None or self.log_likelihood is not None:
            raise ValueError(
                "one of likelihood, responsibilities and log_likelihood must be given, got "
                f"likelihood={NORMAL!r} beside another"
            )

    @property
    def other_evidence(self) -> bool:
        """Whether something besides normal components is given."""
        others = (self.responsibilities, self.log_likelihood)
        return bool(self.parameters or self.separate or self.allocations) or any(
            one is not None for one in others
        )

    def named(self, posterior: xr.Dataset) -> dict[str, Given]:
        """What is named, by role; default names that are not there are left out."""
        roles: dict[str, Given] = {"mu": self.mu, "sigma": self.sigma, "weights": self.weights}
        roles |= {"tau": self.tau, "chol": self.chol, "cov": self.cov}
        instead = [name for name in ("tau", "chol", "cov") if roles[name] is not None]
        if instead and roles["sigma"] == "sigma":
            del roles["sigma"]
        if len(instead) > 1 or (instead and roles.get("sigma") is not None):
            both = [*instead, *(["sigma"] if roles.get("sigma") is not None else [])]
            raise ValueError(f"one of sigma, tau, chol and cov must be given, got {both}")
        for role, default in DEFAULTS.items():
            absent = _is(roles.get(role), default) and default not in posterior
            if absent and self.other_evidence:
                del roles[role]
        roles |= {name: name for name in self.parameters}
        return {role: value for role, value in roles.items() if value is not None}


def _is(value: Given, text: str) -> bool:
    return isinstance(value, str) and value == text
