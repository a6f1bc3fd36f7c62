"""Which groups of the draws follow a relabelling, and which hold other draws."""

from __future__ import annotations

from collections.abc import Collection

import xarray as xr

from ordered_mix.draws.relabel.variables import SAMPLE_DIMS

FOLLOWING = ("posterior_predictive", "log_likelihood", "predictions", "sample_stats")
# transformed coordinates cannot be permuted
STALE = ("unconstrained_posterior",)


def following(tree: xr.DataTree, group: str) -> list[str]:
    """Groups whose draws are those of a group: ``warmup_`` ones follow ``warmup_posterior``."""
    prefix = group.removesuffix("posterior")
    draws = {dim: tree[group].sizes[dim] for dim in SAMPLE_DIMS}
    names = [f"{prefix}{name}" for name in FOLLOWING]
    return [
        name for name in names
        if name in tree.children and name != group
        and all(tree[name].sizes.get(dim, size) == size for dim, size in draws.items())
    ]  # fmt: skip


def groups_left(tree: xr.DataTree, group: str, dims: Collection[str]) -> list[str]:
    """Groups that hold components, or other draws, and do not follow."""
    done = (group, *following(tree, group), *STALE)
    return [
        name for name, node in tree.children.items()
        if name not in done and (name.startswith("warmup_") or set(dims) & set(node.dims))
    ]  # fmt: skip
