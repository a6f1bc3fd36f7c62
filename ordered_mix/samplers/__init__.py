"""Samplers, each a frozen dataclass of its settings; the folder is the registry."""
