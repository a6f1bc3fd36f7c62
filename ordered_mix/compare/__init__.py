"""Comparisons and diagnoses: what is run, what is measured, and the answers."""
