"""
A parameterization of your own, checked
=======================================

A file with two functions. The check holds it to the laws of our own and prints which fails, by how
much; ``ordered-mix compare DATA --parameterizations unordered,mine.py`` compares it.
"""

import tempfile
from pathlib import Path

import ordered_mix

MINE = '''
from ordered_mix import distributions, prior as declare

def block(k, prior):
    """The largest mean and the gaps below it."""
    down = distributions.ordered_normal("down", -prior.location, prior.spread, k=k)
    return declare.weights(k, prior), -down[::-1], declare.scales(k, prior)

def coordinates(mixture):
    sorted = mixture.sorted()
    return {"w": sorted.w, "down": -folded.mu[..., ::-1], "sigma": sorted.sigma}
'''
file = Path(tempfile.mkdtemp()) / "mine.py"
file.write_text(MINE)
check = ordered_mix.check_parameterization(file, k=2)
