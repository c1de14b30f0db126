"""The load of a workload or a flow: an open loop by a rate, a closed one by a bound. Frozen, typed models."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from bench.scenario.profile import Profile, Rate
from bench.units import NS_PER_S, PositiveDuration, at_most
from brokers.settings import Frozen


class RateLoad(Frozen):
    """Open loop: messages are due at times fixed before the run, whatever the broker does."""

    kind: Literal["rate"]
    """`rate`."""
    rate: Rate
    """Messages a second, over all producers; with a `profile`, those of the warm-up. A list is a sweep."""
    arrivals: Literal["constant", "poisson"] = "constant"
    """Even spacing, or a seeded Poisson process."""
    profile: Profile | None = None
    """How the rate changes over the measured part; by default it does not."""
    late: Literal["send", "drop"] = "send"
    """What becomes of messages that the driver has no room for (window, credit, socket) when they are due: they are
    sent late, or dropped and counted after `late_after`. One that is late for another reason is sent."""
    late_after: Annotated[PositiveDuration, AfterValidator(at_most(3600 * NS_PER_S))] = 1 * NS_PER_S
    """How long a message may wait for room before it is dropped, for `late = "drop"`."""
    capacity: Rate | None = None
    """Messages a second that each target does at least, which tells how long a queue takes to drain after the host was
    away; by default a pilot of 2 s finds it before the first trial. Of a broker that someone else runs nine tenths are
    taken to be in use."""
    max_backlog: Annotated[int, Field(ge=1)] = 100_000
    """Messages due and not yet received at which the trial ends as overloaded."""
    stall_after: PositiveDuration = 5 * NS_PER_S
    """Time in which messages are outstanding and none is received or confirmed, after which the trial ends as
    stalled."""


def _as_list(given: object) -> object:
    return (given,) if isinstance(given, int) else given


Bound = Annotated[int, Field(ge=1, le=1_000_000)]
Bounds = Annotated[tuple[Bound, ...], Field(min_length=1)]


class InFlightLoad(Frozen):
    """Closed loop: a bounded number of messages between send and receive."""

    kind: Literal["in_flight"]
    """`in_flight`."""
    in_flight: Annotated[Bounds, BeforeValidator(_as_list, json_schema_input_type=Bound | Bounds)]
    """The bound, over all producers. A list of several is a sweep."""
    stall_after: PositiveDuration = 5 * NS_PER_S
    """As of a rate."""


AnyLoad = Annotated[RateLoad | InFlightLoad, Field(discriminator="kind")]
