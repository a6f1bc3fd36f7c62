"""One file per parameterization, found by its name."""
