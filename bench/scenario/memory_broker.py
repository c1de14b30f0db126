"""What a scenario may ask of the scripted in-memory broker: typed, frozen. Pure."""

from typing import Annotated, Literal

from pydantic import Field

from bench.units import Duration, PositiveDuration
from brokers.settings import BrokerName, Frozen


class Stall(Frozen):
    """A pause of the scripted memory broker."""

    at: Duration
    """When it begins, after the start of the trial."""
    length: PositiveDuration
    """How long nothing is served."""


class MemoryBroker(Frozen):
    """The scripted in-memory broker: capacity, stalls, loss, duplicates, reordering.

    It has no place and no protocol; time is virtual, so a trial of a minute takes
    milliseconds and is exact. It routes by exchanges, keys and bindings, and obeys the queue
    arguments `x-message-ttl`, `x-max-length`, `x-overflow` and those of dead letters; its
    responders answer each call a `think` time after they got it. It runs one flow, with one
    kind of consumers.
    """

    name: BrokerName
    """How targets and reports call this broker."""
    kind: Literal["memory"]
    """`memory`."""
    capacity: Annotated[float, Field(gt=0, le=1_000_000_000)] = 20_000.0
    """Messages it serves a second, one after the other: each copy, where several queues get one. Replies to calls have
    as much for themselves."""
    stalls: tuple[Stall, ...] = ()
    """Pauses, in order of time."""
    lose: tuple[Annotated[int, Field(ge=0)], ...] = ()
    """Messages (counted from 0 in order of arrival; copies, where several queues get one; of calls, requests) that it
    confirms and then drops."""
    duplicate: tuple[Annotated[int, Field(ge=0)], ...] = ()
    """Messages that it delivers twice."""
    swap: tuple[Annotated[int, Field(ge=0)], ...] = ()
    """Messages that it delivers after their successor."""
