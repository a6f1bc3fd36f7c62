"""Multi-start: the distinct optima of a fit, how often each is hit, and the best interior one."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ordered_mix.data import Data
from ordered_mix.estimators.em import EM
from ordered_mix.estimators.loop.curvature import FLAT
from ordered_mix.estimators.loop.estimator import Estimator
from ordered_mix.estimators.loop.fit import ADVICE, Fit
from ordered_mix.estimators.loop.initial import initial_mixtures
from ordered_mix.estimators.loop.stop import Stop
from ordered_mix.mixture import SORT_KEYS, Mixture
from ordered_mix.optima.optima import NoOptimum, Optima, collapsed_onto, spurious
from ordered_mix.parameterization.parameterization import Parameterization

Array = NDArray[np.float64]


@dataclass(frozen=True)
class MultiStart:
    """Run an estimator from many starts and sort out where they end.

    All starts run to a loose tolerance in one batch, equal ends are merged, and one run of each
    kind is polished with the stopping rules of the estimator; one that ends at a saddle is listed
    with the status ``saddle_point``.

    Parameters
    ----------
    starts : int
        Number of starts, shared out among the methods.
    methods : tuple of {"quantile", "kmeans++", "random"}
        How the starts are made, see `initial_mixtures`.
    seed : int
    estimator : Estimator
        Any of the registry.
    explore : Stop
        Stopping rules of the first stage.
    polished : int, optional
        At most so many kinds of ends are polished, those without spurious components first, then
        the highest; all by default.
    subsample : int, optional
        The first stage takes so many of the points, evenly spaced order statistics, if there are
        more; all by default.

    Raises
    ------
    ValueError
        If starts is smaller than the number of methods.
    """

    starts: int = 60
    methods: tuple[str, ...] = ("quantile", "kmeans++", "random")
    seed: int = 0
    estimator: Estimator = field(
        default_factory=lambda: EM(stop=Stop(log_likelihood=1e-12, passes=20_000))
    )
    explore: Stop = field(default_factory=lambda: Stop(log_likelihood=1e-6, passes=2_000))
    polished: int | None = None
    subsample: int | None = None

    def __post_init__(self) -> None:
        if not self.methods or self.starts < len(self.methods):
            raise ValueError(
                f"starts must be at least the number of methods, {len(self.methods)} and not 0, "
                f"got {self.starts}"
            )

    def fit(
        self, parameterization: Parameterization, data: Data, starts: Mixture | None = None
    ) -> Optima:
        """Fit one data set.

        Parameters
        ----------
        parameterization : Parameterization
            As for the estimator.
        data : Data
            A single sample.
        starts : Mixture, batch shape (starts,), optional
            Starting points instead of the default ones.

        Returns
        -------
        Optima

        Raises
        ------
        ValueError
            If data is a batch, or starts have another number of components.
        NoOptimum
            If no start ends at an optimum, with the values onto which components shrank.
        """
        if starts is None:
            starts = self.start(parameterization, data)
        starts = starts.reshape(-1)
        explorer = replace(self.estimator, stop=self.explore, snapshots=2)
        part = self._part(data)
        explored = explorer.fit(parameterization, part, starts)
        ended = np.isin(explored.status, ("converged", "budget_exhausted"))
        if not ended.any():
            word = Counter(explored.status.tolist()).most_common(1)[0][0]
            raise NoOptimum(len(ended), ADVICE[word], collapsed_onto(explored))
        chosen, label = _merge(explored, np.flatnonzero(ended), tolerance=0.02)
        chosen, label = self._most(part, explored, chosen, label)
        polished = self.estimator.fit(parameterization, data, explored.mixture[chosen])
        kept = np.flatnonzero(np.isin(polished.status, ("converged", "budget_exhausted")))
        if not kept.size:
            narrow = np.append(collapsed_onto(explored), collapsed_onto(polished))
            raise NoOptimum(len(ended), str(polished.advice[0]), narrow)
        polished = self._checked(parameterization, data, polished)
        return self._optima(data, explored, polished, kept, label)

    def _part(self, data: Data) -> Data:
        """The points of the first stage."""
        if self.subsample is None or data.weight is not None or data.y.shape[-1] <= self.subsample:
            return data
        even = np.linspace(0, data.y.shape[-1] - 1, self.subsample).astype(int)
        return Data(np.sort(data.y)[even], name=data.name)

    def _most(
        self, data: Data, explored: Fit, chosen: NDArray[np.int64], label: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The ends to polish, and which of them each run is of; `LEFT` for those left out."""
        if self.polished is None or len(chosen) <= self.polished:
            return chosen, label
        narrow = spurious(data, explored.mixture[chosen])
        ranked = np.argsort(narrow, kind="stable")[: self.polished]
        place = np.full(len(chosen) + 1, LEFT)
        place[ranked] = np.arange(len(ranked))
        return chosen[ranked], np.where(label >= 0, place[label], label)

    def _checked(self, parameterization: Parameterization, data: Data, fit: Fit) -> Fit:
        """The fit with its converged runs at saddles said to be such."""
        held = self.estimator.frozen_parameters(parameterization.prior)
        bent = fit.curvature(data, held, getattr(self.estimator, "scales", "free")) < -FLAT
        return replace(fit, status=np.where(fit.converged & bent, "saddle_point", fit.status))

    def start(self, parameterization: Parameterization, data: Data) -> Mixture:
        """The default starting mixtures, with what the prior knows; batch shape (starts,)."""
        shares = np.diff(np.linspace(0, self.starts, len(self.methods) + 1).astype(int))
        parts = [
            initial_mixtures(data, parameterization.k, int(share), method, self.seed + index)
            for index, (method, share) in enumerate(zip(self.methods, shares, strict=True))
        ]
        values = (np.concatenate([getattr(p, n) for p in parts]) for n in FIELDS)
        return parameterization.prior.holding(Mixture(*values))

    def _optima(
        self,
        data: Data,
        explored: Fit,
        polished: Fit,
        kept: NDArray[np.int64],
        label: NDArray[np.int64],
    ) -> Optima:
        chosen, group = _merge(polished, kept, tolerance=1e-3)
        of_start = np.where(label >= 0, group[label], -1)
        failed = Counter(explored.status[label == NONE].tolist())
        if (label == LEFT).any():
            failed["not_polished"] = int(np.sum(label == LEFT))
        failed.update(polished.status[label[(label >= 0) & (of_start < 0)]].tolist())
        fit = _select(polished, chosen)
        return Optima(
            fit=fit,
            hits=np.bincount(of_start[of_start >= 0], minlength=len(chosen)),
            spurious=spurious(data, fit.mixture),
            failures=dict(failed),
            passes=int(explored.passes.sum() + polished.passes.sum()),
            collapsed=np.append(collapsed_onto(explored), collapsed_onto(polished)),
        )


FIELDS = ("w", "mu", "sigma")
NONE, LEFT = -1, -2


def _merge(
    fit: Fit, candidates: NDArray[np.int64], tolerance: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Representatives in decreasing objective, and the representative's position of each run."""
    order = candidates[np.argsort(-fit.objective[candidates], kind="stable")]
    label = np.full(len(fit.status), NONE)
    chosen: list[int] = []
    for run in order:
        if label[run] >= 0:
            continue
        open_runs = order[label[order] < 0]
        close = np.abs(fit.objective[open_runs] - fit.objective[run]) <= tolerance
        same = _same(fit.mixture[run], fit.mixture[open_runs], tolerance)
        label[open_runs[close & same]] = len(chosen)
        chosen.append(int(run))
    return np.array(chosen), label


def _same(one: Mixture, many: Mixture, tolerance: float) -> NDArray[np.bool_]:
    """Equal up to relabelling: in weights, and in means and scales in units of the scale."""
    same = np.zeros(many.batch_shape, dtype=bool)
    for key in SORT_KEYS:
        a, b = one.sorted(key), many.sorted(key)
        difference = np.stack([(b.mu - a.mu) / a.sigma, (b.sigma - a.sigma) / a.sigma, b.w - a.w])
        same |= np.abs(difference).max(axis=(0, -1)) <= tolerance
    return same


def _select(fit: Fit, chosen: NDArray[np.int64]) -> Fit:
    """Some of the runs, their components in increasing order of the final means."""
    trace = fit.trace
    order = fit.mixture[chosen].order()
    columns = {name: value[:, chosen] for name, value in trace.columns.items()}
    known = {name: columns.pop(name) for name in KNOWN}
    mixture = trace.mixture[:, chosen].permute(order)
    return Fit(
        mixture=fit.mixture[chosen].sorted(),
        log_likelihood=fit.log_likelihood[chosen],
        status=fit.status[chosen],
        passes=fit.passes[chosen],
        trace=replace(trace, mixture=mixture, **known, extra=columns),
        rule=None if fit.rule is None else fit.rule[chosen],
    )


KNOWN = ("iteration", "passes", "log_likelihood", "objective", "gradient_norm")
