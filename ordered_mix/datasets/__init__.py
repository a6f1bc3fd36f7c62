"""Small data sets shipped with their sources (see ``README.md`` beside them)."""
