"""The reference prior, and what model files declare of it."""

from __future__ import annotations

from typing import Any

from ordered_mix.prior.prior import COMPONENT, KINDS, Prior, default_prior, no_gaps

__all__ = ["COMPONENT", "KINDS", "Prior", "default_prior", "no_gaps"]


def __getattr__(name: str) -> Any:
    # EM needs the prior's numbers and no PyMC, which takes seconds to import
    from ordered_mix.prior import declare

    try:
        return getattr(declare, name)
    except AttributeError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
