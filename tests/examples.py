"""How many examples a generated test takes, in proportion to the profile: 30 by default, many in `make soak`."""

from hypothesis import settings


def examples(share: float) -> int:
    """Return a share of what the profile in force asks for, one at least; more than 1 for what is cheap or subtle."""
    return max(round(share * settings.default.max_examples), 1)
