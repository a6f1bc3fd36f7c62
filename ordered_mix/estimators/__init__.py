"""Point estimators, one file each: a frozen dataclass with `fit`; the folder is the registry."""
