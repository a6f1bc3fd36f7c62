"""The error of a run that cannot go on."""

from ordered_mix.errors import RunError


class StudyError(RunError):
    """A run of a study cannot begin or go on; what is finished is kept."""
