"""What samplers raise when they could not go on."""


class SamplingFailed(RuntimeError):
    """A sampler gave no draws: it was too slow, or could not go on."""
