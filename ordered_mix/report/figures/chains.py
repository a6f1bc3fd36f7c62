"""The chains of one posterior as the figures take them: of our samplers, or anybody's draws."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ordered_mix.compare.diagnosis import DrawsDiagnosis
    from ordered_mix.draws.switching import Switching
    from ordered_mix.fitted.posterior import Posterior
    from ordered_mix.mixture import Array, Mixture


@dataclass(frozen=True, eq=False)
class Chains:
    """Draws before and after their labels are put in order.

    Parameters
    ----------
    label : str
        What the report calls the draws.
    colour : str
        Their colour in every figure.
    raw, repaired : Mixture, batch shape (chain, draw), or None
        The draws as sampled, and with their labels in order; None if the components are not
        normal.
    repair : str
        What was done to the labels: ``relabelled``.
    by : str
        How: by what they were sorted, or the algorithm.
    rhat : mapping of str to float
        Largest R-hat of the ``raw`` draws and under the name of the repair.
    switching : Switching
        Measures of the raw draws.
    free : bool
        Whether the components may trade labels.
    ordered : bool
        Whether the means were sampled in increasing order.
    values : tuple of ndarray, shape (chain, draw, component), or None
        What traces show before and after, instead of the means.
    what : str
        What it is called.
    """

    label: str
    colour: str
    raw: Mixture | None
    repaired: Mixture | None
    repair: str
    by: str
    rhat: Mapping[str, float]
    switching: Switching
    free: bool = True
    ordered: bool = False
    values: tuple[Array, Array] | None = None
    what: str = "means"

    @property
    def traced(self) -> tuple[Array, Array]:
        """What traces show, before and after, each (chain, draw, component)."""
        if self.values is not None:
            return self.values
        raw, repaired = self.mixtures
        return raw.mu, repaired.mu

    @property
    def mixtures(self) -> tuple[Mixture, Mixture]:
        """The normal mixtures before and after, which there must be."""
        if self.raw is None or self.repaired is None:
            raise ValueError(f"{self.label} must have normal components for this figure")
        return self.raw, self.repaired


def chains_of_sampler(item: Posterior, colour: str) -> Chains:
    """Chains of one of our samplers, raw and relabelled by what separates the components."""
    return Chains(
        label=item.label,
        colour=colour,
        raw=item.draws.mixture,
        repaired=item.labelled,
        repair="relabelled",
        by="by separation",
        rhat={labels: item.worst("rhat", labels) for labels in ("raw", "relabelled")},
        switching=item.switching,
        free=item.parameterization.labellings > 1,
        ordered=item.parameterization.order_by == "mu",
    )


def chains_of_draws(found: DrawsDiagnosis, colour: str) -> Chains:
    """Chains that someone else made, raw and relabelled."""
    return Chains(
        label=found.name,
        colour=colour,
        raw=found.mixture,
        repaired=found.relabelled_mixture,
        repair="relabelled",
        by=found.method,
        rhat={labels: found.worst("rhat", labels) for labels in ("raw", "relabelled")},
        switching=found.switching,
        values=(found.traced("raw"), found.traced("relabelled")),
        what="means" if found.quantity == found.relabelled.known.means else found.quantity,
    )
