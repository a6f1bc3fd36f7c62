"""What comparisons have in common, in one dimension and in several: who is best, the tables."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ordered_mix.compare.columns import measured
from ordered_mix.fitted.modes import Mode, modes_found
from ordered_mix.fitted.verdict import BAD, GOOD, NEARLY
from ordered_mix.mixture import Mixture

if TYPE_CHECKING:
    from ordered_mix.compare.comparison import Settings
    from ordered_mix.compare.several import Several
    from ordered_mix.data import Data
    from ordered_mix.estimators.loop.fit import Fit
    from ordered_mix.mixture import Mixture


class Compared:
    """Samplers and point estimators side by side, by label; data and mixtures of any dimension."""

    data: Data
    settings: Settings
    maximum: Any
    fits: dict[str, Fit]
    fit_seconds: dict[str, float]
    sampled: Any
    skipped: dict[str, str]
    fewer_components: Any
    particles: Any
    several: Several | None

    def narrow(self, mixture: Mixture) -> bool:
        """Whether a mixture is a spurious maximum."""
        raise NotImplementedError

    def row_of(self, mixture: Mixture) -> dict[str, float]:
        """The parameters of a point estimate by name."""
        raise NotImplementedError

    def mean_row(self, item: Any) -> dict[str, float]:
        """Posterior means of the parameters by name."""
        raise NotImplementedError

    @cached_property
    def best(self) -> Any:
        """The sampler that the answer is taken from: chains that agree, most draws.

        Particles, where there are some and their runs agree better than the chains that disagree.
        """
        if self.crossed:
            return self.particles
        rank = {GOOD: 0, NEARLY: 1, BAD: 2}
        return min(
            self.sampled.values(),
            key=lambda item: (rank[item.agreement.status], -item.agreement.ess),
        )

    @cached_property
    def worst(self) -> Any:
        """The sampler whose chains disagree most."""
        return max(self.sampled.values(), key=lambda item: item.agreement.rhat)

    @cached_property
    def crossed(self) -> bool:
        """Whether the answer is taken from particles."""
        if self.particles is None:
            return False
        return self.particles.agreement.rhat < self.worst.agreement.rhat

    @cached_property
    def modes(self) -> list[Mode]:
        """In which modes the chains of all samplers sat, with the weights that particles give."""
        if self.particles is None:
            return []
        given = [item.draws.mixture.parameters for item in self.sampled.values()]
        names = given[0]
        together = Mixture(**{name: np.concatenate([one[name] for one in given]) for name in names})
        return modes_found(self.data.y, together, self.particles.draws.mixture)

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row for each estimator and parameterization, without wall-clock times."""
        rows = [self._fit_row(label, fit) for label, fit in self.fits.items()]
        rows += [
            self.sampled_row(item) for item in (*self.sampled.values(), self.particles) if item
        ]
        return pd.DataFrame(rows)

    @cached_property
    def timings(self) -> pd.DataFrame:
        """Wall-clock seconds of each estimator and ESS per second of each sampler."""
        rows: list[dict[str, Any]] = [
            {"label": label, "seconds": value} for label, value in self.fit_seconds.items()
        ]
        for item in (*self.sampled.values(), self.particles):
            if item is None:
                continue
            ess = item.worst("ess_per_second", "relabelled")
            rows.append({"label": item.label, "seconds": item.draws.seconds, "ess_per_second": ess})
        return pd.DataFrame(rows)

    def sampled_row(self, item: Any) -> dict[str, Any]:
        """The row of one sampler."""
        return {"label": item.label, "status": "sampled", **measured(item), **self.mean_row(item)}

    def _fit_row(self, label: str, fit: Fit) -> dict[str, Any]:
        best = int(np.argmax(fit.objective))
        reached = fit.objective >= fit.objective[best] - 1e-4
        mixture, height = fit.mixture[best], float(fit.log_likelihood[best])
        narrow = self.narrow(mixture)
        below = self.maximum.log_likelihood - height
        return {
            "label": label,
            "status": f"{fit.status[best]}, spurious" if narrow else str(fit.status[best]),
            "passes": int(fit.passes.sum()),
            "passes_per_run": float(np.median(fit.passes)),
            "share_at_best": float(np.mean(reached)),
            "log_likelihood": height,
            "below_maximum": np.nan if narrow or not below > -1e-3 else max(below, 0.0),
            **self.row_of(mixture),
        }
