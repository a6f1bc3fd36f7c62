"""One recommended fit of a Gaussian mixture, in seconds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ordered_mix.data import Data
from ordered_mix.errors import RunError
from ordered_mix.estimators.loop.initial import initial_mixtures
from ordered_mix.fitted.fitted import Fitted, default_mass
from ordered_mix.fitted.maximum import (
    Maximum,
    criteria_by_components,
    criteria_of,
    criteria_table,
    find_maximum,
    judged_by_mode,
)
from ordered_mix.fitted.options import SAMPLERS, check_estimators, check_ranges
from ordered_mix.fitted.questions import chosen_components, no_maximum
from ordered_mix.fitted.restriction import Restriction
from ordered_mix.mixture import Mixture
from ordered_mix.stream.stream import Stream, opened

if TYPE_CHECKING:
    import pandas as pd

    from ordered_mix.draws.draws import Draws
    from ordered_mix.fitted.posterior import Posterior
    from ordered_mix.fitted.streamed import FittedStream
    from ordered_mix.parameterization.parameterization import Parameterization
    from ordered_mix.prior import Prior
    from ordered_mix.samplers.nuts import NUTS

AUTO = "auto"
LARGEST_AUTO = 6
SMALLEST, LARGEST = 1e-140, 1e140


def fit(
    data: Any,
    components: int | str | tuple[int, int] = 2,
    *,
    estimators: Sequence[str] = ("em", "map", "nuts"),
    parameterization: str = "unordered",
    prior: Prior | str = "adaptive",
    draws: int = 1000,
    tune: int = 1000,
    chains: int = 4,
    seed: int = 1,
    cores: int = 2,
    target_accept: float = 0.8,
    hdi_prob: float | None = None,
    scales: str = "free",
    fixed: Mapping[str, Sequence[float]] | None = None,
    time_limit: float = 3600.0,
    progress: Callable[[str], None] = lambda stage: None,
) -> Fitted | FittedStream:
    """Fit a Gaussian mixture to one column of numbers.

    EM from many starts, the posterior mode, then NUTS in one parameterization; components are
    labelled by what separates them.

    Parameters
    ----------
    data : Data, Stream, str, path or array_like
        One column of numbers, see `data.as_data`; more than memory should hold is streamed, see
        `stream.opened`.
    components : int, (int, int), str
        K; a range, as (1, 6) or ``"1-6"``, of which the smallest BIC is fitted; or ``"auto"``,
        which is 1 to 6 by EM alone. In a range every K is sampled, for its LOO. With a sampler
        both have the evidence of every K, which decides where EM shrinks components onto a value.
    estimators : sequence of {"em", "map", "nuts", "nuts-pymc"}
        ``("em",)`` alone takes a second.
    parameterization : str
        The coordinates to sample in.
    prior : Prior or {"adaptive", "fixed", "half-normal"}
        One in the units of the data, or the kind of `default_prior` to take.
    draws, tune, chains, seed, cores, target_accept, time_limit
        Of the sampler; the same seed gives the same draws.
    hdi_prob : float, optional
        Mass of the highest-density intervals, by default ArviZ's ``stats.ci_prob`` (0.89).
    scales : {"free", "common"}
        One standard deviation for each component, or one for all.
    fixed : mapping of {"w", "mu", "sigma"} to sequence of float, optional
        Values that are known, one for each component.
    progress : callable
        Called with the name of each stage before it begins.

    Returns
    -------
    Fitted
        Or `FittedStream` of a stream: EM and MAP on all points, NUTS on weighted points of a grid.

    Raises
    ------
    ValueError
        Before any work, if an argument is wrong.
    RunError
        If EM alone was asked and has no maximum to find.
    """
    data = opened(data)
    settings: dict[str, Any] = {
        "estimators": tuple(estimators), "parameterization": parameterization, "draws": draws,
        "tune": tune, "chains": chains, "seed": seed, "cores": cores,
        "target_accept": target_accept, "time_limit": time_limit,
    }  # fmt: skip
    smallest, largest = check(data, components, settings, hdi_prob)
    restriction = Restriction(scales, dict(fixed or {}))
    if restriction.nothing and not isinstance(prior, str):
        restriction = Restriction.of(prior, smallest)
    check_restriction(restriction, smallest, largest, settings)
    sampled = not set(settings["estimators"]).isdisjoint(SAMPLERS)
    mass = (hdi_prob or default_mass()) if sampled else np.nan
    if isinstance(data, Stream):
        from ordered_mix.fitted.fit_streamed import fit_stream

        mass = hdi_prob or default_mass()
        return fit_stream(data, (smallest, largest), settings, prior, mass, restriction, progress)
    work = _Work(data, settings, prior, mass, restriction, progress)
    if smallest == largest and components != AUTO:
        progress("EM from many starts")
        return work.fitted(largest, find_maximum(data, largest, seed, restriction), None)
    progress(f"EM from many starts, K = 1 to {largest}")
    rows = criteria_by_components(data, largest, seed, restriction)
    table = criteria_table(rows)
    table = table[table["components"] >= smallest].reset_index(drop=True)
    if not work.sampler:
        chosen = chosen_components(table)
        return work.fitted(chosen, rows[chosen - 1][0], table)
    several = {}
    if components != AUTO:
        several = {k: work.fitted(k, rows[k - 1][0], table) for k in range(smallest, largest + 1)}
        table = _with_loo(table, several)
    maxima = {k: found.mixture for k, (found, _) in enumerate(rows, start=1)}
    table = work.with_evidence(table, several, maxima)
    chosen = chosen_components(table)
    found = several.get(chosen) or work.fitted(chosen, rows[chosen - 1][0], table)
    return replace(found, criteria=table)


def check(
    data: Data | Stream,
    components: int | str | tuple[int, int],
    settings: Mapping[str, Any],
    hdi_prob: float | None,
) -> tuple[int, int]:
    """Smallest and largest number of components to look at, once what was asked is checked.

    Raises
    ------
    ValueError
        If the data cannot be fitted, or a setting is wrong.
    """
    smallest, largest = component_range(components)
    check_estimators(settings["estimators"])
    check_ranges({**settings, "components": largest})
    if hdi_prob is not None and not 0 < hdi_prob < 1:
        raise ValueError(f"hdi_prob must lie between 0 and 1, got {hdi_prob}")
    check_sample(data, smallest)
    most = data.n // 2 if isinstance(data, Stream) else min(data.n // 2, np.unique(data.y).size)
    return smallest, max(smallest, min(largest, most))


def component_range(components: int | str | tuple[int, int]) -> tuple[int, int]:
    """Smallest and largest number of components that are asked for.

    Raises
    ------
    ValueError
        If it is neither a whole number nor a range nor auto.
    """
    if components == AUTO:
        return 1, LARGEST_AUTO
    given: Any = components
    if isinstance(components, str):
        low, dash, high = components.partition("-")
        try:
            given = (int(low), int(high)) if dash else int(low)
        except ValueError:
            given = None
    if isinstance(given, tuple) and len(given) == 2:
        check_components(given[0], components)
        check_components(given[1], components)
        if given[0] <= given[1]:
            return given
        given = None
    check_components(given, components)
    return given, given


def check_components(value: Any, given: Any) -> None:
    """Raise a ValueError unless this is a number of components."""
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or not 1 <= value <= 1000:
        raise ValueError(
            f"components must be a whole number of at least 1 and at most 1000, a range like 1-6, "
            f"or auto, got {given}"
        )


def check_sample(data: Data | Stream, components: int) -> None:
    """Raise a ValueError if so many components cannot be fitted to these data."""
    if isinstance(data, Data) and data.y.ndim == 1 and data.weight is None:
        _check_distinct(data, components)
    elif isinstance(data, Data):
        raise ValueError(f"data must be one unweighted sample, {data!r} is not")
    elif data.summary.low == data.summary.high:
        raise ValueError(
            f"data must not be constant, all points of {data.name} are {data.summary.low:g}"
        )
    if not SMALLEST < data.scale < LARGEST:
        raise ValueError(
            f"data must have a standard deviation between {SMALLEST:g} and {LARGEST:g}, that of "
            f"{data.name} is {data.scale:g}: give them in another unit"
        )


def _check_distinct(data: Data, components: int) -> None:
    if data.n < 2 * components:
        raise ValueError(
            f"data must hold at least {2 * components} points for {components} components, "
            f"{data.name} holds {data.n}"
        )
    distinct = np.unique(data.y).size
    if distinct == 1:
        raise ValueError(f"data must not be constant, all points of {data.name} are {data.y[0]:g}")
    if distinct < components:
        raise ValueError(
            f"data must hold at least {components} distinct values for {components} components, "
            f"{data.name} holds {distinct}"
        )


def check_restriction(
    restriction: Restriction, smallest: int, largest: int, settings: Mapping[str, Any]
) -> None:
    """Raise a ValueError unless every number of components and the coordinates carry it."""
    if restriction.fixed and smallest != largest:
        raise ValueError("components must be one number where fixed holds values of components")
    restriction.check(smallest)
    if set(settings["estimators"]) == {"em"}:
        return
    from ordered_mix.parameterization import catalog
    from ordered_mix.prior import Prior

    prior = restriction.of_prior(Prior())
    for k in range(smallest, largest + 1):
        reason_not_sampled = catalog.parameterization(
            settings["parameterization"], k, prior
        ).reason_not_sampled
        if reason_not_sampled:
            raise ValueError(
                f"parameterization must be one that NUTS can sample: {reason_not_sampled}"
            )


class _Work:
    """The stages of a fit for one number of components after another."""

    def __init__(
        self,
        data: Data,
        settings: dict[str, Any],
        prior: Prior | str,
        mass: float,
        restriction: Restriction,
        progress: Callable[[str], None],
    ) -> None:
        self.data, self.settings, self.mass, self.progress = data, settings, mass, progress
        estimators = settings["estimators"]
        self.sampler = next((name for name in estimators if name in SAMPLERS), "")
        self.kind, self.restriction = prior, restriction

    def fitted(self, k: int, maximum: Maximum, table: pd.DataFrame | None) -> Fitted:
        """EM, then what else was asked."""
        one_less = None
        if table is None and k > 1 and self.restriction.nothing:
            one_less = find_maximum(self.data, k - 1, self.settings["seed"])
        if table is None:
            row = criteria_of(self.data, maximum, k, self.restriction)
            table = criteria_table([(maximum, row)], k)
        common = {"data": self.data, "components": k, "criteria": table, "hdi_prob": self.mass,
                  "settings": self.settings, "one_less": one_less}  # fmt: skip
        if not self.sampler and "map" not in self.settings["estimators"]:
            if maximum.mixture is None:
                raise RunError(
                    f"EM has no maximum to find with K = {k}: {no_maximum(maximum)}; "
                    "add map or nuts to --estimators, whose prior keeps the scales apart from 0"
                )
            return Fitted(maximum=maximum, **common)
        return self._bayesian(k, maximum, common)

    @property
    def prior(self) -> Prior:
        """In the units of the data, with what is known."""
        from ordered_mix.prior import Prior, default_prior

        given = self.kind if isinstance(self.kind, Prior) else default_prior(self.data, self.kind)
        return self.restriction.of_prior(given)

    def with_evidence(
        self,
        table: pd.DataFrame,
        several: Mapping[int, Fitted],
        maxima: Mapping[int, Mixture | None],
    ) -> pd.DataFrame:
        """The table with the evidence of each number of components."""
        from ordered_mix.fitted.evidence import evidence, with_evidence

        prior, found = self.prior, {}
        for k in table["components"].tolist():
            self.progress(f"evidence, K = {k}")
            draws = several[k].draws if k in several else None
            seed, cores = self.settings["seed"], self.settings["cores"]
            found[k] = evidence(self.data, prior, k, seed, draws, maxima[k], cores)
        return with_evidence(table, found)

    def _bayesian(self, k: int, maximum: Maximum, common: dict[str, Any]) -> Fitted:
        from ordered_mix.fitted.mode import posterior_mode
        from ordered_mix.parameterization import catalog

        prior = self.prior
        chosen = catalog.parameterization(self.settings["parameterization"], k, prior)
        starts = initial_mixtures(
            self.data, k, self.settings["chains"], "random", self.settings["seed"]
        )
        self.progress(f"posterior mode, K = {k}")
        best = maximum.mixture
        begin = None if best is None else self.restriction.in_order(best)
        mode = posterior_mode(self.data, prior, starts, begin)
        maximum = judged_by_mode(self.data, maximum, mode, self.restriction)
        made = Fitted(maximum=maximum, prior=prior, mode=mode, **common)
        return self._sampled(made, chosen, starts) if self.sampler else made

    def _sampled(self, made: Fitted, chosen: Parameterization, starts: Mixture) -> Fitted:
        from ordered_mix.fitted.crossing import disagree, particle_sampler
        from ordered_mix.fitted.restart import sample_restarting
        from ordered_mix.parameterization import catalog

        k, seed = made.components, self.settings["seed"]
        self.progress(f"{self.sampler} {chosen.label}, K = {k}")
        best = made.mode if made.maximum.mixture is None else made.maximum.mixture
        assert best is not None
        best = self.restriction.in_order(best)
        draws, restarted = sample_restarting(self._nuts(), chosen, self.data, starts, best, seed)
        posterior = self._measured(k, draws, chosen, restarted)
        made, chains = replace(made, posterior=posterior), posterior.agreement
        if not disagree(chains):
            return made
        self.progress(f"sequential Monte Carlo, K = {k}: the chains disagree")
        model = catalog.parameterization("unordered", k, chosen.prior)
        sampler = particle_sampler(self.settings["cores"])
        draws, _ = sample_restarting(sampler, model, self.data, starts, best, seed)
        other = self._measured(k, draws, chosen, 0)
        if other.agreement.rhat >= chains.rhat:
            return made
        return replace(made, posterior=other, chains=chains)

    def _measured(
        self, k: int, draws: Draws, chosen: Parameterization, restarted: int
    ) -> Posterior:
        from ordered_mix.fitted.posterior import labels_of, posterior_of

        self.progress(f"labels, WAIC and LOO, K = {k}")
        labels = labels_of(draws, chosen)
        return posterior_of(draws, chosen, self.sampler, chosen.label, labels, restarted)

    def _nuts(self) -> NUTS:
        from ordered_mix.samplers.nuts import NUTS

        given = self.settings
        return NUTS(
            draws=given["draws"], tune=given["tune"], sampler=SAMPLERS[self.sampler],
            target_accept=given["target_accept"], cores=given["cores"],
            time_limit=given["time_limit"],
        )  # fmt: skip


def _with_loo(table: pd.DataFrame, several: dict[int, Fitted]) -> pd.DataFrame:
    found = [several[k].posterior for k in table["components"]]
    elpd = [np.nan if one is None else float(one.elpd_loo.elpd) for one in found]
    error = [np.nan if one is None else float(one.elpd_loo.se) for one in found]
    return table.assign(elpd_loo=elpd, elpd_loo_se=error)
