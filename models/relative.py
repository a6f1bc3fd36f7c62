"""A reference component and the gaps to the next ones, mu_k = mu_(k-1) + gap_(k-1); identifiable.

Source: Esser & Nielsen 2022, section 3 (the paper's gap link is the identity or the square).
"""

import numpy as np

from ordered_mix import distributions
from ordered_mix import prior as declare

ORDERS = ("mu", "sigma", "both")


def block(k, prior, *, link="log", clearance=0.0, reference=1, order="mu", weight_clearance=0.0):
    """Declare the priors in the open model and return (w, mu, sigma).

    ``gap = link(d) + clearance``; ``order`` chains the means, the scales
    (``sigma_k = sigma_(k-1) + gap``), or both, which loses mixtures; ``weight_clearance`` keeps
    every weight above it. What is above a clearance carries the unshifted prior.
    """
    w = declare.weights(k, prior, weight_clearance)
    if order == "mu":
        sigma = declare.scales(k, prior)
    else:
        sigma = declare.ordered_scales(k, prior, link, clearance)
    if order == "sigma":
        return w, declare.iid_means(k, prior), sigma
    name = "gap_above_clearance" if clearance else "gap"
    transform = distributions.LINKS.get(link)
    gap = declare.mean_gaps(k, prior, transform=transform, name=name)
    anchor = np.eye(k)[reference - 1]
    return w, declare.anchored_means(k, prior, gap, anchor, clearance), sigma


def coordinates(
    mixture, *, link="log", clearance=0.0, reference=1, order="mu", weight_clearance=0.0
):
    """Free coordinates of a mixture, by variable name."""
    ascending = mixture.sorted("sigma" if order == "sigma" else "mu")
    k = ascending.k
    room = (ascending.w - weight_clearance) / (1 - k * weight_clearance)
    steps = ascending.sigma - clearance * np.arange(k) * (order != "mu")
    gap = np.diff(ascending.mu, axis=-1) - clearance
    return {
        "w_above_floor" if weight_clearance else "w": room,
        "sigma_steps" if clearance and order != "mu" else "sigma": steps,
        "gap_above_clearance" if clearance else "gap": gap,
        "location": ascending.mu[..., reference - 1],
        "mu": ascending.mu,
    }


def skip(k, prior, *, link="log", clearance=0.0, reference=1, order="mu", weight_clearance=0.0):
    """Why this parameterization does not apply, if so.

    Raises
    ------
    ValueError
        If an option is not one of those accepted.
    """
    _check(k, link, clearance, reference, order, weight_clearance)
    if order != "mu" and (prior.known_sigma is not None or prior.common_scale):
        return "known or common scales leave nothing to order by"
    return declare.no_gaps(k, prior)


def rescaled(scale, *, clearance=0.0, **options):
    """The options for data multiplied by scale."""
    return {**options, "clearance": scale * clearance} if clearance else options


def clearances(*, clearance=0.0, order="mu", weight_clearance=0.0, **options):
    """What the gaps of the means and of the scales and the weights exceed."""
    keys = ("mu", "sigma") if order == "both" else (order,)
    return {"w": weight_clearance, **dict.fromkeys(keys, clearance)}


def bounds(*, order="mu", **options):
    """Least values of free variables that ascents keep by projection."""
    return {} if order == "sigma" else {"gap": 0.0, "gap_above_clearance": 0.0}


def not_for_nuts(*, link="log", **options):
    """Why NUTS cannot sample these coordinates, if so."""
    if link == "identity":
        return (
            "link='identity' keeps gap >= clearance by projection, which point estimators can do "
            "and NUTS cannot: choose log, softplus or square"
        )
    return None


def _check(k, link, clearance, reference, order, weight_clearance):
    links = (*distributions.LINKS, "identity")
    if link not in links:
        raise ValueError(f"link must be one of {', '.join(links)}, got {link!r}")
    if not 0 <= clearance < np.inf:
        raise ValueError(f"clearance must be at least 0 and finite, got {clearance}")
    if not 0 <= weight_clearance < 1 / k:
        raise ValueError(
            f"weight_clearance must be at least 0 and below 1/{k} for {k} components, "
            f"got {weight_clearance}"
        )
    if reference not in range(1, k + 1):
        raise ValueError(f"reference must be a component from 1 to {k}, got {reference}")
    if order not in ORDERS:
        raise ValueError(f"order must be one of {', '.join(ORDERS)}, got {order!r}")
    if order != "mu" and link == "identity":
        raise ValueError("link='identity' orders the means only, order must be 'mu'")
