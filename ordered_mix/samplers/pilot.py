"""A pilot that chooses: what Gibbs sampling is worth decides between it and NUTS."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple

import arviz_stats
import numpy as np
import xarray as xr

from ordered_mix.data import Data
from ordered_mix.draws.draws import Draws, assemble
from ordered_mix.draws.multivariate import assemble as assemble_points
from ordered_mix.mixture import Array, Mixture
from ordered_mix.parameterization import catalog
from ordered_mix.parameterization.multivariate import (
    AnyParameterization,
    MultivariateParameterization,
)
from ordered_mix.parameterization.parameterization import NotApplicable, Parameterization
from ordered_mix.samplers.gibbs import Gibbs
from ordered_mix.samplers.moves.settings import at_least, check_seed
from ordered_mix.samplers.nuts import NUTS

SWEEPS, SETTLED = 250, 50
OVERLAPPING, APART = 0.1, 0.4
POOLED, SIGNED, UNORDERED = "moment(gap=pooled)", "signed", "unordered"


class Choice(NamedTuple):
    """What draws, and in which coordinates."""

    sampler: Gibbs | NUTS
    parameterization: Any
    label: str


@dataclass(frozen=True)
class Pilot:
    """Gibbs sampling or NUTS, whichever the first sweeps of Gibbs sampling ask for.

    A sweep is one pass, and its autocorrelation is the share of the information that the
    allocations would add (Liu, Wong & Kong 1994, Biometrika 81, 27-40): nothing is cheaper where
    components are apart, nothing slower where they overlap. 250 sweeps are run, and of the last
    200 the least effective sorted draw for a sweep is measured. From 0.4 on the run is Gibbs
    sampling; down to 0.1 it is NUTS in signed coordinates, else in the moments with pooled gaps,
    both with a dense mass matrix. Where pooled gaps do not apply signed ones are taken, and where
    those do not, unordered means. Draws are recorded in the coordinates of the parameterization,
    sorted if it sorts. The pilot belongs to warm-up: no draw of it is kept, so that whatever it
    chooses has the posterior for its limit (calibrated in the study sampler_calibration).

    Parameters
    ----------
    draws, tune : int
        Draws of NUTS kept and those before them, per chain.
    sweeps : int
        Sweeps for each of these draws where Gibbs sampling is chosen; a draw of NUTS takes
        several passes.
    cores : int
        Chains sampled at the same time; the draws do not depend on it.

    Raises
    ------
    ValueError
        If a setting is out of range.
    """

    takes_starts: ClassVar[bool] = True

    draws: int = 1000
    tune: int = 1000
    sweeps: int = 3
    cores: int = 1

    def __post_init__(self) -> None:
        at_least(self, draws=4, tune=1, sweeps=1, cores=1)

    def sample(
        self, parameterization: AnyParameterization, data: Data, starts: Mixture, seed: int
    ) -> Draws:
        """Sample one chain from each start.

        Parameters
        ----------
        parameterization : AnyParameterization
            With the reference prior, whose scales are inverse gamma, adaptive or known.
        data : Data
            One sample; weights must be whole numbers.
        starts : Mixture, batch shape (chain,)
            One start for each chain, in the units of the data.
        seed : int
            The same seed gives the same draws for any number of cores.

        Returns
        -------
        Draws
            Its tree has the attributes ``pilot_ess``, effective draws for a sweep, and
            ``chosen``, what was run.

        Raises
        ------
        ValueError
            If the prior is not conditionally conjugate, or data or starts are not accepted.
        SamplingFailed
            If the draws are not finite.
        """
        check_seed(seed)
        first, second = map(int, np.random.SeedSequence(seed).generate_state(2) // 2)
        sweeps = Gibbs(draws=SWEEPS - SETTLED, tune=SETTLED, cores=self.cores)
        pilot = sweeps.sample(parameterization, data, starts, first)
        found = pilot_ess(_ascending(parameterization, pilot.mixture))
        choice = self._choice(parameterization, found)
        run = choice.sampler.sample(choice.parameterization, data, pilot.mixture[:, -1], second)
        if isinstance(parameterization, MultivariateParameterization):
            draws = _joined_points(parameterization, data, pilot, run)
        else:
            draws = _joined(parameterization, data, pilot, run)
        draws.tree.attrs |= {"pilot_ess": found, "chosen": choice.label}
        return draws

    def _choice(self, parameterization: Any, found: float) -> Choice:
        if found >= APART:
            gibbs = Gibbs(draws=self.sweeps * self.draws, tune=self.tune, cores=self.cores)
            return Choice(gibbs, parameterization, "Gibbs")
        nuts = NUTS(draws=self.draws, tune=self.tune, adaptation="dense", cores=self.cores)
        wanted = (SIGNED, UNORDERED) if found >= OVERLAPPING else (POOLED, SIGNED, UNORDERED)
        for label in wanted:
            try:
                return Choice(nuts, _in(label, parameterization), f"NUTS in {label}, dense")
            except NotApplicable:
                continue
        raise NotApplicable(f"none of {', '.join(wanted)} applies to this prior")


def pilot_ess(mixture: Mixture) -> float:
    """Effective draws for a sweep, the least over what is free of sorted draws.

    Parameters
    ----------
    mixture : Mixture, batch shape (chain, draw)
        Sorted.
    """
    count = mixture.w[..., 0].size
    parts = [mixture.w[..., :-1], mixture.mu, mixture.sigma]
    shape = mixture.batch_shape
    free = np.concatenate([np.reshape(part, (*shape, -1)) for part in parts], axis=-1)
    found = [_ess(one) for one in np.moveaxis(free, -1, 0) if np.ptp(one) > 0]
    return min(found, default=float(count)) / count


def _ess(values: Array) -> float:
    found = float(arviz_stats.ess(values, method="bulk", chain_axis=0, draw_axis=1))
    return found if np.isfinite(found) else 1.0


def _in(label: str, parameterization: Any) -> Any:
    """These coordinates with the same prior and axis."""
    name, options = catalog.split(label)
    given: dict[str, Any] = {"name": name, "module": catalog.module(name), "options": options}
    if isinstance(parameterization, Parameterization):
        given["prior"] = replace(parameterization.prior, native=False)
    return replace(parameterization, **given)


def _ascending(parameterization: AnyParameterization, mixture: Mixture) -> Mixture:
    if isinstance(parameterization, MultivariateParameterization):
        return mixture.sorted(parameterization.direction)
    return mixture.sorted()


def _warmup(pilot: Any, run: Any, kind: str, names: tuple[str, ...]) -> xr.Dataset:
    """Warm-up of both: all that the pilot drew, then what came before the run's draws."""
    parts = [pilot.tree[f"warmup_{kind}"], pilot.tree[kind], run.tree[f"warmup_{kind}"]]
    return xr.concat([part.to_dataset()[list(names)].drop_vars("draw", errors="ignore")
                      for part in parts], "draw")  # fmt: skip


def _joined(parameterization: Parameterization, data: Data, pilot: Draws, run: Draws) -> Draws:
    location, scale = float(data.location), float(data.scale)
    standard = parameterization.affine(-location / scale, 1 / scale)
    names = ("w", "mu", "sigma")
    groups = {"sample_stats": run.statistics, "warmup_sample_stats":
              _warmup(pilot, run, "sample_stats", ("n_steps",))}  # fmt: skip
    for prefix, drawn in (
        ("", run.tree["posterior"].to_dataset()),
        ("warmup_", _warmup(pilot, run, "posterior", names)),
    ):
        mixture = Mixture(*(drawn[name].to_numpy() for name in names))
        mixture = standard.domain.sorted(mixture.affine(-location / scale, 1 / scale))
        values = {name: getattr(mixture, name) for name in names}
        groups[f"{prefix}posterior"] = xr.Dataset(
            {name: (("chain", "draw", "component"), value) for name, value in values.items()}
        )
    raw = xr.DataTree.from_dict(groups)
    raw.attrs["start_moved"] = run.tree.attrs["start_moved"]
    return assemble(raw, pilot.seconds + run.seconds, parameterization, standard, data)


def _joined_points(
    parameterization: MultivariateParameterization, data: Data, pilot: Draws, run: Draws
) -> Draws:
    names = ("w", "mu", "covariance")
    before = _warmup(pilot, run, "posterior", names)
    drawn = xr.concat([before, run.tree["posterior"].to_dataset().drop_vars("draw",
                       errors="ignore")], "draw")  # fmt: skip
    mixture = Mixture(**{name: drawn[name].to_numpy() for name in names})
    steps = [_warmup(pilot, run, "sample_stats", ("n_steps",))["n_steps"].to_numpy(),
             run.statistics["n_steps"].to_numpy()]  # fmt: skip
    statistics = {"n_steps": np.concatenate(steps, axis=1)}
    if "diverging" in run.statistics:
        kept = run.statistics["diverging"].to_numpy()
        early = np.zeros(steps[0].shape, dtype=bool)
        statistics["diverging"] = np.concatenate([early, kept], axis=1)
    seconds = pilot.seconds + run.seconds
    return assemble_points(
        parameterization.sorted(mixture), statistics, steps[0].shape[1], data, seconds
    )
