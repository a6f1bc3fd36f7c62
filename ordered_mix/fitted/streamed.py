"""A fit of more points than memory holds: exact maxima and modes, a posterior of binned data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ordered_mix.fitted.estimates import estimates
from ordered_mix.fitted.maximum import Maximum
from ordered_mix.fitted.options import SAMPLERS
from ordered_mix.fitted.questions import how_many_components, no_maximum
from ordered_mix.fitted.verdict import BAD, GOOD, NEARLY, Verdict, headline
from ordered_mix.mixture import Mixture
from ordered_mix.stream.binned import Binned
from ordered_mix.stream.stream import Stream

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from ordered_mix.draws.draws import Draws
    from ordered_mix.draws.relabel.assignment import Permutation
    from ordered_mix.fitted.agreement import Agreement
    from ordered_mix.optima.importance import Importance
    from ordered_mix.prior import Prior

FINE = 0.01
"""Nats by which binning may change a log likelihood."""
GRIDS, SHRINK, LEAST_SHARE = 4, 0.8, 1 / 16
MOST_PASSES = 100
DRAWS, DRAWS_OF_A_STREAM = 1000, 100
MOST_BOUNDS = 100


@dataclass(frozen=True, eq=False, repr=False)
class FittedStream:
    """One fitted mixture of streamed data; components are numbered in the order of their means.

    Parameters
    ----------
    data : Stream
    components : int
    maximum : Maximum
        What EM found: from many starts on binned data, then on all points.
    criteria : DataFrame
        One row for each number of components, as in `Fitted`; of binned data.
    binned : Binned
        The points on a grid.
    hdi_prob : float
        Mass of the intervals.
    prior : Prior, optional
    mode : Mixture, optional
        Posterior mode of weights, means and scales, on all points.
    importance : Importance, optional
        Weighted draws of Laplace's approximation; None where the Hessian is not definite.
    draws : Draws, optional
        Of the posterior of the binned data.
    permutation : ndarray of int, optional
        Labels of the draws by what separates the components.
    settings : mapping
        What was asked.
    """

    data: Stream
    components: int
    maximum: Maximum
    criteria: pd.DataFrame
    binned: Binned
    hdi_prob: float
    prior: Prior | None = None
    mode: Mixture | None = None
    importance: Importance | None = None
    draws: Draws | None = None
    permutation: Permutation | None = None
    settings: Mapping[str, Any] | None = None

    def __repr__(self) -> str:
        return f"FittedStream({self.data.name!r}, n={self.data.n}, K={self.components})"

    @property
    def estimate(self) -> Mixture:
        """One mixture: the posterior mode, else the maximum."""
        one = self.mode if self.mode is not None else self.maximum.mixture
        assert one is not None
        return one

    @cached_property
    def labelled(self) -> Mixture | None:
        """Draws with labels, batch shape (chain, draw): of NUTS, else of Laplace's approximation.

        The latter are resampled by their importance weights, unless those are of no use.
        """
        if self.draws is not None and self.permutation is not None:
            return self.draws.mixture.permute(self.permutation)
        if self.importance is None:
            return None
        drawn = self.importance.resampled(self.importance.weight.size, 1)
        order = np.argsort(drawn.mu.mean(axis=0), kind="stable")
        return drawn.permute(np.broadcast_to(order, drawn.mu.shape)).reshape(1, -1)

    @cached_property
    def estimates(self) -> pd.DataFrame:
        """Weights, means and scales of each component, as `Fitted.estimates`."""
        points = {"em": self.maximum.mixture, "map": self.mode}
        table = estimates(self.components, self.labelled, points, self.hdi_prob)
        most = self.estimate.responsibilities(self.binned.data.y).argmax(axis=-1)
        counts = np.bincount(most, self.binned.data.weight, minlength=self.components)
        own = counts[table["component"] - 1].round().astype(np.int64)
        return table.assign(points=own, lone=own < 2)

    @cached_property
    def bound(self) -> float:
        """How far the log likelihood of the binned data may be off: at the estimates, at draws."""
        at = [self.estimate.reshape(1)]
        if self.draws is not None:
            drawn = self.draws.mixture.reshape(-1)
            at.append(drawn[np.linspace(0, drawn.batch_shape[0] - 1, MOST_BOUNDS).astype(int)])
        return max(float(self.binned.bound(mixtures).max()) for mixtures in at)

    @cached_property
    def agreement(self) -> Agreement | None:
        """What tells whether the chains agree; None without chains."""
        from ordered_mix.fitted.agreement import agreement

        if self.draws is None or self.labelled is None:
            return None
        diverged = int(self.draws.statistics["diverging"].sum())
        data = self.binned.data
        return agreement(data.y, self.labelled, diverged, weight=data.weight)

    @cached_property
    def verdicts(self) -> list[Verdict]:
        """The questions that can be asked without the points themselves."""
        from ordered_mix.fitted.agreement import did_the_chains_agree

        found = [is_the_grid_fine(self.bound, self.binned)]
        if self.agreement is not None:
            found.append(did_the_chains_agree(self.agreement, self.components))
        if self.mode is not None:
            found.append(does_laplace_serve(self.importance))
        if len(self.criteria) > 1:
            found.append(how_many_components(self))
        return found

    @property
    def headline(self) -> str:
        """The answers in one sentence."""
        return headline(self.verdicts)

    @property
    def notes(self) -> list[str]:
        """What was computed on what, in sentences."""
        how = {True: "EM and MAP are", False: "EM is"}[self.mode is not None]
        found = [
            f"{self.data.n:,} points were read in blocks for every pass: {how} exact, starts and "
            f"criteria are those of {self.binned.data.n:,} weighted points on a grid."
        ]
        if self.draws is not None:
            found.append("Means, sds and intervals are of NUTS on these weighted points.")
        elif self.importance is not None:
            found.append("Means, sds and intervals are of Laplace's approximation, reweighted.")
        if self.maximum.mixture is None:
            found.append(f"There are no EM estimates: {no_maximum(self.maximum)}.")
        wanted = {*(self.settings or {}).get("estimators", ())} & {*SAMPLERS}
        if wanted and self.draws is None:
            found.append(
                "NUTS was left out: it would go over all points many times for each draw, and no "
                f"grid was fine enough to stand for them (within {FINE:g} nats)."
            )
        return found

    @property
    def tree(self) -> xr.DataTree:
        """Draws as `Fitted.tree`, without pointwise groups: those would be of weighted points.

        Raises
        ------
        ValueError
            If nothing was sampled.
        """
        from ordered_mix.draws.published import published
        from ordered_mix.fitted.labels import method_of

        if self.draws is None or self.permutation is None:
            raise ValueError("estimators must hold a sampler for there to be draws, nothing was")
        tree = self.draws.tree.copy()
        for name in ("log_likelihood", "observed_data"):
            if name in tree.children:
                del tree[name]
        return published(tree, self.permutation, method_of(self.draws.mixture))


def is_the_grid_fine(bound: float, grid: Binned) -> Verdict:
    """Whether binned data stand for the points, by the bound on the log likelihood."""
    status = GOOD if bound <= FINE else NEARLY if bound <= 100 * FINE else BAD
    answer = {GOOD: "Yes", NEARLY: "Nearly", BAD: "No"}[status]
    return Verdict(
        "grid",
        status,
        "Do the weighted points stand for all points?",
        f"{answer}, within {bound:.2g} nats.",
        f"Bins of width {grid.width:.3g} with their first four moments; the bound on the change "
        f"of the log likelihood holds at the estimates and at the draws that were looked at "
        f"(at most {FINE:g} is asked).",
        f"binning changes the log likelihood by {bound:.1g} nats at most",
        {"bound": bound, "width": grid.width},
    )


def does_laplace_serve(found: Importance | None) -> Verdict:
    """Whether Laplace's approximation is near the posterior, by its importance weights."""
    from ordered_mix.optima import importance as limits

    question = "Is Laplace's approximation near the posterior?"
    if found is None:
        reason = "Minus the Hessian at the mode is not positive definite."
        return Verdict("laplace", BAD, question, "No, there is none.", reason)
    k = found.pareto_k
    status = GOOD if k < limits.GOOD else NEARLY if k < limits.USABLE else BAD
    answer = {GOOD: "Yes.", NEARLY: "Nearly, with its weights.", BAD: "No."}[status]
    reason = (
        f"Pareto k of its importance weights {k:.2f} (good below {limits.GOOD}, of use below "
        f"{limits.USABLE}), effective number {found.ess:.0f} of {found.weight.size}."
    )
    values = {"pareto_k": k, "ess": found.ess}
    return Verdict("laplace", status, question, answer, reason, "", values)
