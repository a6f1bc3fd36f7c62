"""Coordinate systems: a model file, and everything that is derived from it."""
