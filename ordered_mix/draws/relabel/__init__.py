"""Undo label switching: permutations of the components, found and applied."""
