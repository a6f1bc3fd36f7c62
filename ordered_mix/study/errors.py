"""The error of a run that cannot go on."""


class StudyError(RuntimeError):
    """A run cannot begin or go on for a reason outside of its input; what is finished is kept."""
