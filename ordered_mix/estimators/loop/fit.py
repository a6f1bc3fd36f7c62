"""What every estimator returns: a batch of fits with their statuses, advice and traces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ordered_mix.estimators.loop.curvature import least_curvature
from ordered_mix.mixture import Mixture

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure

    from ordered_mix.data import Data

Array = NDArray[np.float64]

ADVICE: Mapping[str, str] = {
    "converged": (
        "The stopping rule named in `rule` was met: nothing to do, unless `curvature` is below 0, "
        "as at a saddle."
    ),
    "saddle_point": (
        "The stopping rule was met at a saddle, from which the likelihood rises: perturb the "
        "start, most of all components that are alike, or start elsewhere."
    ),
    "budget_exhausted": (
        "The pass budget ran out before a stopping rule was met: raise `passes` in the stopping "
        "rules, loosen them, or start closer."
    ),
    "variance_collapsed": (
        "A component shrank onto one value, where the likelihood has no maximum; the mixture "
        "before that step is returned: set a floor or a prior, tie the scales, or start elsewhere."
    ),
    "component_emptied": (
        "A component lost all its points; the mixture before that step is returned: use fewer "
        "components or start elsewhere."
    ),
    "left_domain": (
        "A step led out of the admissible parameters; the mixture before it is returned: use a "
        "smaller step, a line search, or unconstrained coordinates."
    ),
    "no_ascent": (
        "No step along the search direction raised the objective: the fit is at the limit of "
        "rounding, or the direction is not one of ascent; look at `gradient_norm` in the trace."
    ),
    "singular_information": (
        "The Fisher information could not be inverted, as at equal components: set a damping or "
        "a clearance, or start with the components apart."
    ),
}
"""The status vocabulary, each word with one line of advice."""


@dataclass(frozen=True, eq=False)
class Trace:
    """The path of each run, thinned so that memory stays bounded.

    The first axis is the snapshot; runs that end early repeat their last state, so the last
    snapshot always is the state returned.

    Parameters
    ----------
    iteration, passes : array of int, shape (snapshots, ...)
        Iterations and passes over the data up to the snapshot.
    mixture : Mixture, batch shape (snapshots, ...)
        The parameters.
    log_likelihood : array, shape (snapshots, ...)
        Log likelihood; NaN at tempered iterations, whose pass does not contain it.
    objective : array, shape (snapshots, ...)
        What the estimator maximises: the log likelihood, or the same with a prior, tempered, or
        of the hard assignment.
    gradient_norm : array, shape (snapshots, ...), optional
        Norm of the gradient of the objective, in the coordinates of the estimator.
    extra : mapping of str to array, shape (snapshots, ...)
        Further columns of one estimator, e.g. ``step`` or ``condition_number``.
    """

    iteration: NDArray[np.int64]
    passes: NDArray[np.int64]
    mixture: Mixture
    log_likelihood: Array
    objective: Array
    gradient_norm: Array | None = None
    extra: Mapping[str, Array] = field(default_factory=dict)

    @property
    def columns(self) -> dict[str, NDArray[Any]]:
        """Every scalar column by name, shape (snapshots, ...)."""
        columns: dict[str, NDArray[Any]] = {
            "iteration": self.iteration,
            "passes": self.passes,
            "log_likelihood": self.log_likelihood,
            "objective": self.objective,
        }
        if self.gradient_norm is not None:
            columns["gradient_norm"] = self.gradient_norm
        return columns | dict(self.extra)


@dataclass(frozen=True, eq=False)
class Fit:
    """The result of a batch of runs; every array has the batch shape of the runs.

    Parameters
    ----------
    mixture : Mixture
        Estimates in the units of the data.
    log_likelihood : array, shape (...)
        Log likelihood of the estimates.
    status : array of str, shape (...)
        A word of `ADVICE` for each run.
    passes : array of int, shape (...)
        Passes over the data that each run cost, those of rejected trial steps included.
    trace : Trace
        The path of each run.
    rule : array of str, shape (...), optional
        The stopping rule that ended the run (``log_likelihood``, ``parameters``, ``gradient`` or
        ``passes``), empty for a failure.

    Raises
    ------
    ValueError
        If a status is not in the vocabulary.
    """

    mixture: Mixture
    log_likelihood: Array
    status: NDArray[np.str_]
    passes: NDArray[np.int64]
    trace: Trace
    rule: NDArray[np.str_] | None = None

    def __post_init__(self) -> None:
        unknown = sorted(set(np.unique(self.status).tolist()) - set(ADVICE))
        if unknown:
            raise ValueError(f"status must be one of {', '.join(ADVICE)}, got {unknown[0]!r}")

    def __repr__(self) -> str:
        words, counts = np.unique(self.status, return_counts=True)
        summary = ", ".join(f"{count} {word}" for word, count in zip(words, counts, strict=True))
        if not np.size(self.status):
            return f"Fit({self.mixture!r})"
        best = f"best log_likelihood={self.log_likelihood.max():.9g}"
        return f"Fit({self.mixture!r}, {best}, {summary})"

    @property
    def converged(self) -> NDArray[np.bool_]:
        """Whether each run met a stopping rule, shape (...)."""
        return np.asarray(self.status) == "converged"

    @property
    def objective(self) -> Array:
        """What the estimator maximised, at the estimates; shape (...)."""
        return self.trace.objective[-1]

    @property
    def advice(self) -> NDArray[np.str_]:
        """One line of advice for the status of each run, shape (...)."""
        flat = [ADVICE[str(word)] for word in np.ravel(self.status)]
        return np.array(flat).reshape(np.shape(self.status))

    def curvature(self, data: Data, frozen: tuple[str, ...] = (), scales: str = "free") -> Array:
        """Least curvature of the log likelihood where each run ended; clearly below 0 at a saddle.

        It is the smallest eigenvalue of the observed information for 1 of the complete data's: 1
        less the slowest rate of EM. It takes a few passes, which are not counted.

        Parameters
        ----------
        data : Data
            Those that were fitted.
        frozen : tuple of {"w", "mu", "sigma"}
            Parameters that were known or frozen.
        scales : {"free", "tied"}
            As in `EM`.

        Returns
        -------
        array, shape (...)
            NaN where the gradient of the likelihood does not vanish: the run was stopped early or
            at a bound, or has another objective.
        """
        shape, n = np.shape(self.status), data.n
        standard, weight = data.standardized(), data.weight
        y = np.broadcast_to(standard.y, (*shape, n)).reshape(-1, n)
        weights = None if weight is None else np.broadcast_to(weight, (*shape, n)).reshape(-1, n)
        location, scale = (
            np.broadcast_to(value, shape).ravel() for value in (data.location, data.scale)
        )
        runs, found = self.mixture.reshape(y.shape[0]), np.empty(y.shape[0])
        for at in range(found.size):
            mixture = runs[at].affine(-location[at] / scale[at], 1 / scale[at])
            of_points = None if weights is None else weights[at]
            found[at] = least_curvature(mixture, y[at], of_points, frozen, scales)
        return found.reshape(shape)

    def table(self) -> pandas.DataFrame:
        """Tidy table of the trace: one row for each run and snapshot.

        Returns
        -------
        pandas.DataFrame
            Columns ``run`` (flat index of the batch), ``iteration``, ``passes``,
            ``log_likelihood``, ``objective``, ``gradient_norm`` where it exists, and ``w[0]``,
            ..., ``mu[0]``, ..., ``sigma[0]``, ... .
        """
        import pandas

        trace = self.trace
        snapshots = len(trace.iteration)
        runs = trace.iteration.reshape(snapshots, -1).shape[1]
        columns: dict[str, NDArray[Any]] = {"run": np.tile(np.arange(runs), snapshots)}
        columns |= {name: value.ravel() for name, value in trace.columns.items()}
        for parameter in trace.mixture.parameters:
            columns |= _parameter_columns(parameter, trace)
        table = pandas.DataFrame(columns).drop_duplicates(["run", "iteration"])
        return table.sort_values(["run", "iteration"], ignore_index=True)

    def plot(self, runs: int = 20) -> Figure:
        """Distance of the objective to the best one found, and the means, against passes.

        Parameters
        ----------
        runs : int
            How many runs of the batch to draw.

        Returns
        -------
        matplotlib.figure.Figure
        """
        from matplotlib.figure import Figure

        figure = Figure(figsize=(9, 3.5), layout="constrained")
        distance, means = figure.subplots(1, 2)
        objective = self.trace.objective.reshape(len(self.trace.objective), -1)[:, :runs]
        passes = self.trace.passes.reshape(len(objective), -1)[:, :runs]
        best = np.nanmax(objective)
        distance.plot(passes, np.maximum(best - objective, 1e-12))
        distance.set(xlabel="passes", ylabel="best objective - objective", yscale="log")
        components = self.trace.mixture.w.shape[-1]
        mu = self.trace.mixture.mu.reshape(len(objective), self.status.size, components, -1)
        paths = mu[:, :runs]
        for component in range(components):
            path = paths[:, :, component].reshape(len(objective), -1)
            axis = np.repeat(passes, paths.shape[-1], axis=1)
            means.plot(axis, path, color=f"C{component}", alpha=0.6)
        means.set(xlabel="passes", ylabel="means")
        return figure


def _parameter_columns(name: str, trace: Trace) -> dict[str, Array]:
    """Columns ``mu[0]``, ``covariance[0,1,1]``, ... of one parameter."""
    value = getattr(trace.mixture, name)
    shape = value.shape[trace.iteration.ndim :]
    flat = value.reshape(-1, *shape)
    labels = np.ndindex(shape)
    return {f"{name}[{','.join(map(str, at))}]": flat[:, *at] for at in labels}
