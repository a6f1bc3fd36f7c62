"""Does the prior decide?"""

from __future__ import annotations

from collections.abc import Mapping

from ordered_mix.fitted.verdict import BAD, GOOD, NEARLY, Verdict

LITTLE, MUCH = 2.0, 5.0
SENSITIVE = 0.05  # Kallioinen, Paananen, Buerkner & Vehtari 2024
QUESTION = "Does the prior decide?"


def does_the_prior_decide(
    nats: float | None, sensitivity: Mapping[str, float] | None, no_maximum: str = ""
) -> Verdict:
    """The verdict.

    Parameters
    ----------
    nats : float or None
        Log likelihood at its maximum less that at the posterior mode; None if the likelihood has
        no maximum that could be compared with.
    sensitivity : mapping of str to float, or None
        Power-scaling sensitivity to the prior by quantity, if it was measured.
    no_maximum : str
        Why there is none.
    """
    worst = max(sensitivity, key=lambda name: sensitivity[name]) if sensitivity else ""
    value = sensitivity[worst] if sensitivity else None
    values = {"nats_below_maximum": nats, "sensitivity": dict(sensitivity or {})}
    status, answer, clause = _judge(nats, value, worst)
    parts = [no_maximum] if nats is None else [
        f"The log likelihood at the posterior mode is {nats:.2f} nats below its maximum"
    ]  # fmt: skip
    if value is not None:
        parts.append(
            f"largest power-scaling sensitivity to the prior {value:.3f} of {worst}, which counts "
            f"above {SENSITIVE}"
        )
    return Verdict("prior", status, QUESTION, answer, "; ".join(parts) + ".", clause, values)


def _judge(nats: float | None, value: float | None, worst: str) -> tuple[str, str, str]:
    if nats is None:
        return (
            NEARLY,
            "In part: the likelihood alone has no maximum.",
            "the prior decides in part, as the likelihood alone has no maximum",
        )
    if nats > MUCH:
        return (
            BAD,
            "Yes: what the data say by themselves is far from the posterior.",
            "the prior decides much of it",
        )
    if nats > LITTLE:
        return NEARLY, "A little.", "the prior decides a little"
    if value is not None and value > SENSITIVE:
        return NEARLY, f"A little: {worst} moves with it.", f"the prior moves {worst} a little"
    return GOOD, "No.", "the prior hardly matters"
