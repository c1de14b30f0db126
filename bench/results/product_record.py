"""What a run keeps of its products and places: the models. Pure."""

from pydantic import Field

from bench.results.base import Record
from brokers.durability import DurabilityClass


class QueueRecord(Record):
    """What a workload's queue is on a broker."""

    kind: str
    """In the product's own words: a type of queue, or the store behind it."""
    promises: DurabilityClass | None
    """What a confirmed message survives by these settings, as seen elsewhere; None where it is not known."""


class PlaceRecord(Record):
    """Where a broker ran, and within which limits."""

    name: str = "unknown"
    """As scenarios name it; `in memory` where it was no program."""
    options: dict[str, str] = Field(default_factory=dict)
    """What only that place understands, as it was asked for."""
    image: str | None = None
    """Recipe of the image that it was started from; None where it was started from none."""
    caps: dict[str, str] = Field(default_factory=dict)
    """The limits that were asked for, in words, by the names under which reports show them."""
    caveats: tuple[str, ...] = ()
    """What figures measured there do not show."""

    @property
    def words(self) -> str:
        """Its name and options, for people."""
        return ", ".join([self.name, *(f"{name} {value}" for name, value in self.options.items())])


class ProductRecord(Record):
    """What the product of a broker says of itself, and where the broker ran."""

    kind: str = "unknown"
    """As scenarios name the product."""

    title: str
    """Name for people."""
    short: str
    """The same in tables and figures."""
    package: str
    """Package that brings it, with its version."""
    started: bool
    """Whether the suite started this broker; else someone else ran it."""
    transient: QueueRecord
    """Queue of workloads that are not durable."""
    durable: QueueRecord
    """Queue of durable workloads."""
    caveats: tuple[str, ...] = ()
    """What every report on it must say."""
    place: PlaceRecord = PlaceRecord()
    """Where it ran."""

    def queue(self, *, durable: bool) -> QueueRecord:
        """Return the queue of such workloads."""
        return self.durable if durable else self.transient
