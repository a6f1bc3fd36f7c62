"""A small picture of an effect's interval against what is claimed of it."""

from __future__ import annotations

import math

from markupsafe import Markup, escape

from ordered_mix.report.tables.table import MINUS
from ordered_mix.study.claims import Claim, Effect, Verdict

WIDTH, LINE, BASE, HEIGHT = 260.0, 13.0, 26.0, 42.0
EDGE, ROOM, DECIMALS = 5.0, 0.12, 1


def picture(verdict: Verdict) -> Markup:
    """The interval as a line with a dot, over the range that is claimed and its margins.

    Returns
    -------
    Markup
        An ``svg`` element; empty if the claim could not be tested.
    """
    claim, effect = verdict.claim, verdict.effect
    if effect is None or not math.isfinite(effect.estimate) or math.isnan(effect.low + effect.high):
        return Markup()
    margins = _margins(claim)
    ends = [value for value in effect[:3] if math.isfinite(value)]
    least, most = min(*margins, *ends), max(*margins, *ends)
    room = ROOM * (most - least or abs(most) or 1.0)
    low, high = least - room, most + room

    def at(value: float) -> str:
        where = (min(max(value, low), high) - low) / (high - low)
        return f"{EDGE + where * (WIDTH - 2 * EDGE):.{DECIMALS}f}"

    parts = [_band(at(left), at(right)) for left, right in _claimed(claim, low, high)]
    parts += [_line(at(margin), 3, at(margin), BASE, "margin") for margin in margins]
    parts += [
        _line(at(effect.low), LINE, at(effect.high), LINE, "interval"),
        f'<circle class="estimate" cx="{at(effect.estimate)}" cy="{LINE:g}" r="4"/>',
        _label(at(sum(margins) / len(margins)), claim),
    ]
    label = escape(f"{in_words(effect)}; claimed {claimed_in_words(claim)}: {verdict.outcome}.")
    return Markup(
        f'<svg class="mark" viewBox="0 0 {WIDTH:g} {HEIGHT:g}" role="img" aria-label="{label}">'
        f"{''.join(parts)}</svg>"
    )


def in_words(effect: Effect) -> str:
    """An estimate with its interval, if it has one, and true minus signs."""
    return number(str(effect)) if effect.low != effect.high else number(f"{effect.estimate:.4g}")


def reach_in_words(effect: Effect | None) -> str:
    """How far off a deterministic quantity may be; nothing for one that is estimated."""
    if effect is None or effect.reach is None:
        return ""
    return number(f"{effect.reach:.1g}")


def with_unit(effect: Effect, claim: Claim) -> str:
    """An estimate, its interval and the unit of the claim."""
    return " ".join(filter(None, [in_words(effect), claim.unit]))


def claimed_in_words(claim: Claim) -> str:
    """Where the effect is claimed to be."""
    if claim.direction in ("above", "below"):
        return f"{claim.direction} {number(f'{claim.margin:g}')}"
    return f"{claim.direction} ±{claim.margin:g}"


def number(text: str) -> str:
    """A number as written by Python, with a true minus sign."""
    return text.replace("-", MINUS)


def _margins(claim: Claim) -> list[float]:
    two_sided = claim.direction in ("within", "outside")
    return [-claim.margin, claim.margin] if two_sided else [claim.margin]


def _claimed(claim: Claim, low: float, high: float) -> list[tuple[float, float]]:
    below, above = (low, _margins(claim)[0]), (_margins(claim)[-1], high)
    return {
        "above": [above],
        "below": [below],
        "within": [(-claim.margin, claim.margin)],
        "outside": [below, above],
    }[claim.direction]


def _band(left: str, right: str) -> str:
    width = f"{float(right) - float(left):.{DECIMALS}f}"
    return f'<rect class="claimed" x="{left}" y="3" width="{width}" height="{BASE - 3:g}"/>'


def _line(x1: str, y1: float, x2: str, y2: float, kind: str) -> str:
    return f'<line class="{kind}" x1="{x1}" y1="{y1:g}" x2="{x2}" y2="{y2:g}"/>'


def _label(x: str, claim: Claim) -> str:
    text = claimed_in_words(claim)
    half = 3.2 * len(text) + 2
    inside = min(max(float(x), half), WIDTH - half)
    return f'<text x="{inside:.{DECIMALS}f}" y="{HEIGHT - 4:g}">{escape(text)}</text>'
