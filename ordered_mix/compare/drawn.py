"""Draws of a comparison: read from its folder, or sampled and kept there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from ordered_mix.data import Data
from ordered_mix.draws.draws import Draws
from ordered_mix.draws.published import published, raw_draws
from ordered_mix.draws.relabel.assignment import Permutation
from ordered_mix.errors import RunError, SamplingFailed
from ordered_mix.files.results import ResultFolder, slug
from ordered_mix.fitted.posterior import Sampled
from ordered_mix.fitted.restart import sample_restarting
from ordered_mix.mixture import Mixture
from ordered_mix.parameterization.multivariate import AnyParameterization
from ordered_mix.samplers.moves.sampler import Sampler


class Drawn(NamedTuple):
    """Draws, their labels, and how many chains are second attempts."""

    draws: Draws
    permutation: Permutation
    restarted: int


def drawn(
    label: str,
    sampler: Sampler,
    parameterization: AnyParameterization,
    data: Data,
    starts: Mixture,
    best: Mixture,
    seed: int,
    labels: Callable[[Draws], tuple[Permutation, str]],
    *,
    folder: ResultFolder | None,
    progress: Callable[[str], None],
    failed: dict[str, str],
) -> Drawn | None:
    """Draws of one sampler, from the folder if an earlier run left them there.

    Parameters
    ----------
    label : str
        What tables call it and its file is named after.
    sampler, parameterization, data, starts, best, seed
        As for `sample_restarting`.
    labels : callable
        Gives the permutations of draws, and the name of the method.
    folder : ResultFolder, optional
        Where draws are kept.
    progress : callable
        Called with the label.
    failed : dict
        Given the reason if there are no draws; the answer is None then.
    """
    progress(label)
    name = f"draws-{slug(label)}.nc"
    tree = folder.read_tree(name) if folder is not None else None
    if tree is not None:
        draws, restarted = Draws(raw_draws(tree)), int(tree.attrs["restarted"])
        return Drawn(draws, labels(draws)[0], restarted)
    try:
        draws, restarted = sample_restarting(sampler, parameterization, data, starts, best, seed)
    except (ValueError, SamplingFailed) as error:
        failed[label] = str(error)
        return None
    permutation, method = labels(draws)
    if folder is not None:
        made = published(draws.tree, permutation, method)
        made.attrs["restarted"] = restarted
        folder.write_tree(name, made)
    return Drawn(draws, permutation, restarted)


def all_sampled[P: Sampled](
    found: Mapping[str, AnyParameterization],
    samplers: Sequence[str],
    sample: Callable[[Any, str, str], P | None],
    skipped: dict[str, str],
    failed: Mapping[str, str],
) -> dict[str, P]:
    """Posteriors of every parameterization by every sampler, by their labels.

    Parameters
    ----------
    found : mapping of str to parameterization
        By what the user called each.
    samplers : sequence of str
    sample : callable
        Of a parameterization, a sampler and what the user called the former; None if it fails.
    skipped : dict
        Given the reasons of parameterizations that no sampler takes.
    failed : mapping of str to str
        The reasons of what failed.

    Raises
    ------
    RunError
        If there is no posterior.
    """
    sampled: dict[str, P] = {}
    for sampler in samplers:
        for called, one in found.items():
            if one.reason_not_sampled:
                skipped[f"{sampler} {called}"] = one.reason_not_sampled
                continue
            item = sample(one, sampler, called)
            if item is not None:
                sampled[item.label] = item
    if not sampled:
        reasons = "; ".join(f"{label}: {why}" for label, why in {**skipped, **failed}.items())
        raise RunError(f"no sampler gave draws ({reasons}); what is finished is kept")
    return sampled
