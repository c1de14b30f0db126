"""When a broker counts as warm: what a plan may ask. Pure."""

from typing import Annotated

from pydantic import Field, model_validator

from bench.units import NS_PER_S, Duration, PositiveDuration, format_duration
from brokers.settings import Frozen


class WarmUp(Frozen):
    """When a broker counts as warm; the same rule for every broker.

    After a broker's start its first trials run their own load unmeasured until it has
    worked for `at_least` and its CPU time a message has moved by less than `tolerance`
    between two successive windows; later trials on it only `settle`.
    """

    at_least: Duration = 30 * NS_PER_S
    """Least time under load after a start (a JVM compiles for about 30 s)."""
    at_most: PositiveDuration = 120 * NS_PER_S
    """Longest warm-up of one trial; one that ends here is reported as too short."""
    window: PositiveDuration = 10 * NS_PER_S
    """Window over which CPU time a message is taken."""
    tolerance: Annotated[float, Field(gt=0, lt=1)] = 0.05
    """Largest relative change between two windows of a warm broker."""
    settle: Duration = 2 * NS_PER_S
    """Unmeasured start of each later trial."""

    @model_validator(mode="after")
    def _can_end(self) -> "WarmUp":
        if self.at_most < max(self.at_least, self.settle):
            message = (
                f"at_most = {format_duration(self.at_most)}: no shorter than at_least"
                f" ({format_duration(self.at_least)}) and settle ({format_duration(self.settle)})"
            )
            raise ValueError(message)
        return self
