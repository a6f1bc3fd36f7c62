"""The error of work that cannot go on, and words of others made fit to be shown."""


class RunError(RuntimeError):
    """Work cannot begin or go on for a reason outside of its input; what is finished is kept."""


class SamplingFailed(RuntimeError):
    """A sampler gave no draws: it was too slow, or could not go on."""


def one_line(text: str) -> str:
    """White space run together, and what a terminal might obey written as an escape."""
    shown = " ".join(text.split())
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in shown
    )
