"""Rates that change over the measured part: what a user can ask for, and the pieces it is made of. Pure."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from bench.arrivals.cumulative import Cumulative, Piece
from bench.units import NS_PER_MS, Duration, format_duration
from brokers.settings import Frozen


def _not_too_short(ns: int) -> int:
    if ns < NS_PER_MS:
        message = f"{format_duration(ns)}: at least 1ms"
        raise ValueError(message)
    return ns


HIGHEST_RATE = 10_000_000
Rate = Annotated[float, Field(ge=0.001, le=HIGHEST_RATE)]
Spell = Annotated[Duration, AfterValidator(_not_too_short)]
RateOrNone = Annotated[float, Field(ge=0, le=HIGHEST_RATE)]


class Ramp(Frozen):
    """The rate goes in a straight line from `begin` to `end`, over the measured part."""

    kind: Literal["ramp"]
    """`ramp`."""
    begin: RateOrNone
    """Messages a second when the measured part begins."""
    end: RateOrNone
    """Messages a second when it ends."""

    @model_validator(mode="after")
    def _something_is_sent(self) -> "Ramp":
        if not self.begin and not self.end:
            message = "begin = end = 0: nothing would be sent, so give one of them a rate"
            raise ValueError(message)
        return self

    def pieces(self, duration_ns: int) -> tuple[Piece, ...]:
        """Return the rate over a measured part of that length."""
        return (Piece(duration_ns, self.begin, self.end),)


class Step(Frozen):
    """One rate of a load in steps."""

    rate: RateOrNone
    """Messages a second."""
    length: Spell
    """How long it lasts."""


class Steps(Frozen):
    """One rate after the other; the last lasts until the measured part ends, which `--quick` shortens all alike."""

    kind: Literal["steps"]
    """`steps`."""
    steps: Annotated[tuple[Step, ...], Field(min_length=1, max_length=10_000)]
    """The rates, in order of time."""

    @model_validator(mode="after")
    def _something_is_sent(self) -> "Steps":
        if not any(step.rate for step in self.steps):
            message = "steps: nothing would be sent, so give one of them a rate"
            raise ValueError(message)
        return self

    @property
    def length_ns(self) -> int:
        """Length of all steps together."""
        return sum(step.length for step in self.steps)

    def pieces(self, duration_ns: int) -> tuple[Piece, ...]:
        """Return the rate over a measured part of that length."""
        whole = max(self.length_ns, duration_ns)
        ends, total = [], 0
        for step in self.steps:
            total += step.length
            ends.append(total * duration_ns // whole)
        ends[-1] = duration_ns
        begins = (0, *ends[:-1])
        lengths = (end - begin for begin, end in zip(begins, ends, strict=True))
        return tuple(
            Piece(length, step.rate, step.rate) for step, length in zip(self.steps, lengths, strict=True) if length
        )


class Burst(Frozen):
    """On and off in turn, beginning with on."""

    kind: Literal["burst"]
    """`burst`."""
    on: Spell
    """How long a burst lasts."""
    off: Spell
    """How long the time between two bursts is."""
    rate: Rate
    """Messages a second during a burst."""
    rate_off: RateOrNone = 0.0
    """Messages a second between bursts."""

    def pieces(self, duration_ns: int) -> tuple[Piece, ...]:  # noqa: ARG002  (the signature of all profiles)
        """Return one burst and the time after it, which repeat."""
        return Piece(self.on, self.rate, self.rate), Piece(self.off, self.rate_off, self.rate_off)


Profile = Annotated[Ramp | Steps | Burst, Field(discriminator="kind")]


def cumulative(profile: Ramp | Steps | Burst, duration_ns: int) -> Cumulative:
    """Return the integral of a profile's rate from the beginning of the measured part on."""
    return Cumulative(profile.pieces(duration_ns))
