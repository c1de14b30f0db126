"""What every part of a report's summary is made of: the base of its models, and a number with its interval."""

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """Base of everything a report says."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)


class Spread(Model):
    """A number over the usable trials of a row: estimate with interval, median, and range over trials."""

    estimate: float | None = None
    """Geometric mean of the trials' estimates; None where a trial has no bound or is 0."""
    interval_low: float | None = None
    """Lower end of the 95 % interval of `estimate` (Student's t on logarithms); None where n < 2."""
    interval_high: float | None = None
    """Upper end of that interval."""
    noise: float | None = None
    """Standard deviation of the logarithms, so about the relative one from trial to trial; None where n < 2."""
    median: float | None
    """Median of the trials' estimates."""
    low: float | None
    """Smallest over trials."""
    high: float | None
    """Largest over trials; None where a trial has no bound, see `never`."""
    n: int
    """Trials that have the number."""
    never: int = 0
    """Trials in which the message of this rank never came, or that were overloaded, so that no bound is known."""
    why: str = ""
    """Why `median` is None."""

    @property
    def centre(self) -> float | None:
        """The number to print: the estimate, or the median where there is none."""
        return self.median if self.estimate is None else self.estimate
