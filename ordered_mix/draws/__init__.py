"""Diagnostics of mixture draws and fits; arrays of shape (chain, draw, component) inside."""
