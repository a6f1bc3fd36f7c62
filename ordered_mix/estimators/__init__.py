"""Point estimators and samplers, each a frozen dataclass of hyper-parameters."""
