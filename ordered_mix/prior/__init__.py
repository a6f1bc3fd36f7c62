"""The reference prior, and what model files declare of it."""

from __future__ import annotations

from typing import Any

from ordered_mix.prior.prior import COMPONENT, KINDS, Prior, default_prior, no_gaps

DECLARED = (
    "anchored_means", "dimension", "iid_means", "mean_gaps", "ordered_scales", "scales", "weights",
)  # fmt: skip

__all__ = ["COMPONENT", "KINDS", "Prior", "default_prior", "no_gaps"]


def __getattr__(name: str) -> Any:
    # EM needs the prior's numbers and no PyMC, which takes seconds to import
    if name not in DECLARED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from ordered_mix.prior import declare

    return getattr(declare, name)
