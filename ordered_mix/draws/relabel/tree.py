"""Relabel anybody's draws of a mixture, whatever its family, variables and dimensions."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from ordered_mix.arrays import Array
from ordered_mix.draws.relabel.asked import Asked
from ordered_mix.draws.relabel.assignment import Relabelling, check_permutation
from ordered_mix.draws.relabel.check import Check
from ordered_mix.draws.relabel.effect import Effect
from ordered_mix.draws.relabel.evidence import Known, know
from ordered_mix.draws.relabel.methods import check_method, find
from ordered_mix.draws.relabel.named import Given
from ordered_mix.draws.relabel.plan import Plan, plan
from ordered_mix.draws.relabel.reading import SAMPLE_DIMS, as_tree
from ordered_mix.draws.relabel.separation import number
from ordered_mix.draws.relabel.uncertainty import sample_permutations
from ordered_mix.draws.relabel.variables import as_dataarray
from ordered_mix.shown import html

RECORD = "relabelling"


@dataclass(frozen=True, eq=False)
class RelabelledTree:
    """A relabelled copy of draws, and how it was made.

    Parameters
    ----------
    draws : DataTree
        The copy. Its group ``relabelling`` holds the permutation, the margin of every draw, and as
        attributes the method, what was permuted, what was left alone, and notes.
    permutation : DataArray of int, dims (chain, draw, component)
        ``relabelled[c, d, j] = draws[c, d, permutation[c, d, j]]``.
    method : str
        The algorithm; "none" where it would have made the draws worse, or there is one component.
    relabelling : Relabelling
        What the algorithm returned.
    dims : tuple of str
        The component dimensions.
    permuted, left_alone : tuple of str
        The variables of the posterior, and groups that were not touched.
    notes : tuple of str
        What should be known, a sentence each.
    effect : Effect
        What relabelling did to the draws.
    known : Known
        The draws as they were understood.
    """

    draws: xr.DataTree
    permutation: xr.DataArray
    method: str
    relabelling: Relabelling
    dims: tuple[str, ...]
    permuted: tuple[str, ...]
    left_alone: tuple[str, ...]
    notes: tuple[str, ...]
    effect: Effect
    known: Known
    _given: tuple[xr.DataTree, Plan, str]

    @property
    def given(self) -> xr.DataTree:
        """The draws as given, as a DataTree."""
        return self._given[0]

    @cached_property
    def pairs(self) -> dict[str, tuple[Array, Array]]:
        """What is permuted, before and after, with the axes (chain, draw, component, ...)."""
        tree, how, group = self._given
        return how.pairs(tree[group].to_dataset(), self.permutation.to_numpy())

    @property
    def check(self) -> Check | None:
        """How the likelihood that was computed compares with that of the draws."""
        return self.known.check

    @cached_property
    def meaningful(self) -> bool:
        """Whether labels mean something: the two closest are at least 2 sd apart."""
        return self.effect.meaningful

    def sampled(self, seed: int = 0) -> xr.DataTree:
        """Draws whose labels are drawn from their probabilities, so that intervals hold them.

        Where components overlap, the labels of some draws are uncertain. Summaries of one
        labelling ignore that, those of this tree do not.

        Parameters
        ----------
        seed : int
        """
        tree, how, group = self._given
        order, _ = sample_permutations(
            self.known.parameters, self.permutation.to_numpy(), np.random.default_rng(seed)
        )
        return how.apply(tree, order, group)

    def _repr_html_(self) -> str:
        return html(self)


def relabel_tree(
    draws: Any,
    method: str | None = None,
    mu: Given = "mu",
    sigma: Given = "sigma",
    weights: Given = "w",
    *,
    tau: Given = None,
    chol: Given = None,
    cov: Given = None,
    parameters: Collection[str] = (),
    separate: Collection[Sequence[str]] = (),
    responsibilities: str | ArrayLike | None = None,
    log_likelihood: str | ArrayLike | None = None,
    allocations: str | Collection[str] = (),
    y: ArrayLike | None = None,
    dims: str | Collection[str] | None = None,
    order: str | None = None,
    seed: int = 0,
    group: str = "posterior",
    sample_dims: tuple[str, ...] = SAMPLE_DIMS,
    likelihood: str | None = None,
) -> RelabelledTree:
    """Relabel draws of anybody's mixture.

    Components are found from what is named here: nothing is decided by the size of a dimension.

    Parameters
    ----------
    draws : DataTree, Dataset or InferenceData
        Stacked samples are unstacked, or one chain.
    method : str, optional
        An algorithm of `relabel.methods.METHODS`, or ``sort_NAME`` with the name of a parameter.
        By default stephens where responsibilities are known, ecr_iterative_1 where only
        allocations are, else separate.
    mu, sigma, weights, tau : str, sequence of str, number or array_like
        Of normal components: the name of a variable, names of one variable for each component, or
        a known value; tau is a precision in place of sigma. A scale without a component dimension
        is shared. Weights without one are the weight of the first of two components; None are
        equal known ones. Under their default names they may be missing where parameters,
        responsibilities, log_likelihood or allocations are given.
    chol, cov : str or sequence of str
        Of multivariate normal components, in place of sigma: Cholesky factors (or their lower
        triangles row by row) or covariances.
    parameters : collection of str
        Names of component parameters of any family.
    separate : collection of sequences of str
        Further variables that are one for each component, in the order of the components.
    responsibilities : str or array_like, shape (chain, draw, point, component)
        Probability of each component for each point, in an array or a variable of any group.
    log_likelihood : str or array_like, shape (chain, draw, point, component)
        Log density of each point under each component, without its weight.
    allocations : str or collection of str
        Variables whose values are components, from 0 or 1 on. They follow the relabelling.
    y : array_like, optional
        The data of normal components, shape (point,) or (point, dim); by default the only variable
        of ``observed_data``.
    dims : str or collection of str, optional
        Component dimensions besides those of what is named, such as both of a transition matrix.
        If given, no other dimension is asked about.
    order : str, optional
        The parameter whose posterior mean ascends with the label; by default mu if that tells all
        components apart, else what tells the two closest ones apart best.
    seed : int
        Seed of allocations that are drawn from responsibilities.
    group : str
        The group to relabel; other groups with the component dimensions follow.
    sample_dims : tuple of str
        Names of the dimensions of chains and draws.
    likelihood : {"normal"}, optional
        The user's statement that the model is a mixture of normal components with these means,
        scales and weights. It is needed where the draws hold no pointwise log likelihood
        (``pm.compute_log_likelihood(draws)``) that the one of normal components repeats: without
        either, no likelihood is used.

    Returns
    -------
    RelabelledTree

    Raises
    ------
    ValueError
        If a name is wrong, a component dimension is ambiguous, values are malformed, the method is
        unknown, or it needs a likelihood that the draws do not have: the one computed for normal
        components is refused where it is not that of the draws, or where nothing is stored to
        check it with and the user does not state it (`relabel.check`).

    Notes
    -----
    If the labels found are worse than the raw ones (`Effect.harm`), the raw ones are kept.
    """
    if method is not None:
        check_method(method)
    tree = as_tree(draws, group, sample_dims)
    asked = Asked(
        mu=mu, sigma=sigma, weights=weights, tau=tau, chol=chol, cov=cov,
        parameters=_names(parameters), separate=tuple(tuple(names) for names in separate),
        responsibilities=responsibilities, log_likelihood=log_likelihood,
        allocations=_names(allocations), y=y, dims=None if dims is None else _names(dims),
        seed=seed, group=group, likelihood=likelihood,
    )  # fmt: skip
    known = know(tree, asked)
    how = plan(tree, known, asked)
    more = how.parameters(tree[group].to_dataset(), known)
    known = replace(known, parameters={**known.parameters, **more}, followers=frozenset(more))
    chosen, found, effect, notes = _found(tree, known, how, method, order, group)
    done = how.untouched() if chosen == "none" else how
    permutation = found.permutation
    copy = how.apply(tree, permutation, group)
    posterior = tree[group].to_dataset()
    array = as_dataarray(permutation, posterior, how.dims[0] if how.dims else None)
    copy = _recorded(copy, array, effect, chosen, done, notes)
    return RelabelledTree(
        copy, array, chosen, found, how.dims, done.permuted, done.left_alone, notes, effect, known,
        (tree, how, group),
    )  # fmt: skip


def permute_tree(
    draws: Any,
    permutation: ArrayLike,
    dims: str | Collection[str],
    allocations: str | Collection[str] = (),
    group: str = "posterior",
) -> xr.DataTree:
    """Relabelled copy of draws by permutations of the user's own.

    Parameters
    ----------
    draws : DataTree, Dataset or InferenceData
    permutation : array_like of int, shape (chain, draw, component)
    dims : str or collection of str
        The component dimensions, at any position in a variable.
    allocations : str or collection of str
        Names of variables whose values are components.
    group : str
    """
    order = check_permutation(permutation)
    tree = as_tree(draws, group)
    how = Plan.of_dims(tree[group].to_dataset(), _names(dims), _names(allocations), order.shape[2])
    return how.apply(tree, order, group)


def _found(
    tree: xr.DataTree, known: Known, how: Plan, method: str | None, order: str | None, group: str
) -> tuple[str, Relabelling, Effect, tuple[str, ...]]:
    """The method, its permutations or the raw labels where they are better, and notes."""
    posterior = tree[group].to_dataset()
    raw = np.broadcast_to(np.arange(known.components), known.shape).copy()
    if known.components == 1:
        return "none", Relabelling(raw), how.effect(posterior, known, raw), known.notes
    chosen = method or known.default_method
    found = find(chosen, known.evidence(chosen))
    if not chosen.startswith("sort_") or order is not None:
        found = found._replace(permutation=number(found.permutation, known.order(order, found)))
    effect = how.effect(posterior, known, found.permutation)
    notes = [*known.notes, *how.notes]
    if not found.converged:
        notes.append(f"The permutations of {chosen} still changed in the last round.")
    notes += _meaning(effect)
    if effect.harm is not None:
        notes.append(
            f"Relabelling by {chosen} makes the draws worse, {effect.harm}: the raw labels are "
            "kept."
        )
        return "none", Relabelling(raw), how.effect(posterior, known, raw), tuple(notes)
    return chosen, found, effect, (*notes, *_worse(effect))


def _meaning(effect: Effect) -> list[str]:
    if effect.meaningful:
        return []
    where = "Chains sit in different modes" if effect.within_chains else "Labels mean nothing"
    return [
        f"{where}: the two closest labels are {effect.separation:.1f} standard deviations apart, "
        f"and {effect.within[1]:.1f} within chains."
    ]


def _worse(effect: Effect) -> list[str]:
    """Variables that do not seem to belong to the components, a sentence each."""
    rows = effect.by_variable.set_index("variable").to_dict("index")
    return [
        f"{name} is worse once permuted: its largest R-hat is {rows[name]['rhat_before']:.2f} "
        f"before and {rows[name]['rhat_after']:.2f} after, its bimodality "
        f"{rows[name]['bimodality_before']:.2f} and {rows[name]['bimodality_after']:.2f}; it may "
        "not belong to the components."
        for name in effect.worse
    ]


def _recorded(
    copy: xr.DataTree,
    permutation: xr.DataArray,
    effect: Effect,
    method: str,
    how: Plan,
    notes: tuple[str, ...],
) -> xr.DataTree:
    margin = xr.DataArray(np.minimum(effect.margin, 1e6), dims=SAMPLE_DIMS)
    record = xr.Dataset({"permutation": permutation, "margin": margin})
    record.attrs = {
        "method": method,
        "permuted": json.dumps(how.permuted),
        "left_alone": json.dumps(how.left_alone),
        "dims": json.dumps(how.dims),
        "notes": json.dumps(notes),
    }
    copy[RECORD] = xr.DataTree(record)
    return copy


def _names(given: str | Collection[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)
