"""One file per study, found by its name."""
