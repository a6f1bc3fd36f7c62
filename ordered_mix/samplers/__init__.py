"""Samplers: this folder is their registry, one file each.

A sampler is a frozen dataclass with ``sample(parameterization, data, starts, seed) -> Draws``.
What it cannot sample it says before any work, in one sentence; ``takes_starts`` says whether its
chains begin at the starts.
"""
