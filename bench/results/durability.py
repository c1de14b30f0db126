"""What a confirmed message survives, judged by the synchronous writes made for it. Pure.

"Durable" is not one thing: a store may confirm a message that the operating system has
not written yet. What was counted (fsync, fdatasync and writes to files opened with O_DSYNC
or O_SYNC, a confirmed message) says what the confirm is worth. `durability.json` of a
results folder is a DurabilityRecord; `bench.run.durability_probe` makes it.
"""

from bench.results.base import Record
from brokers.durability import DurabilityClass as DurabilityClass  # noqa: PLC0414  (what a probe finds)

FILE = "durability.json"
DURABILITY_SCHEMA_VERSION = 1
SYNCED = 0.95
"""Synchronous writes a confirmed message from which on each counts as written before it was confirmed; a few
confirms may share one."""


class Probe(Record):
    """What one broker was seen to write for persistent messages that were confirmed one by one."""

    broker: str
    """Name of the broker in the scenario."""
    workload: str
    """The durable workload whose size was used."""
    size: int
    """Bytes of each body."""
    messages: int = 0
    """Messages confirmed while the broker was watched, each before the next was sent."""
    fsyncs: int = 0
    fdatasyncs: int = 0
    synchronous_writes: int = 0
    """Writes to files that were opened with O_DSYNC or O_SYNC."""
    why_not: str = ""
    """Why nothing could be measured; empty where it was."""

    @property
    def measured(self) -> bool:
        """Whether there is evidence."""
        return not self.why_not and self.messages > 0

    @property
    def syncs(self) -> int:
        """Synchronous writes of every kind."""
        return self.fsyncs + self.fdatasyncs + self.synchronous_writes

    @property
    def syncs_per_confirm(self) -> float:
        """Synchronous writes a confirmed message; 0 where nothing was measured."""
        return self.syncs / self.messages if self.messages else 0.0

    @property
    def durability(self) -> DurabilityClass | None:
        """What a confirmed message survives; None where it was not measured."""
        return classify(self.syncs_per_confirm, durable=True) if self.measured else None

    @property
    def words(self) -> str:
        """The evidence in words."""
        if not self.measured:
            return f"not measured: {self.why_not}"
        return f"{self.syncs_per_confirm:.2f} synchronous writes a confirmed message, {self.messages} counted"


class DurabilityRecord(Record):
    """The probes of a run, one a broker that has a durable workload."""

    schema_version: int = DURABILITY_SCHEMA_VERSION
    probes: tuple[Probe, ...]

    def of(self, broker: str) -> Probe | None:
        """Return the probe of a broker, or None."""
        return next((probe for probe in self.probes if probe.broker == broker), None)

    def joined(self, earlier: "DurabilityRecord | None") -> "DurabilityRecord":
        """Return these probes; where one found nothing, that of an earlier part of the same run."""
        if earlier is None:
            return self
        known = {probe.broker: probe for probe in earlier.probes}
        for probe in self.probes:
            if probe.measured or probe.broker not in known or not known[probe.broker].measured:
                known[probe.broker] = probe
        return DurabilityRecord(probes=tuple(known.values()))


def classify(syncs_per_confirm: float, *, durable: bool) -> DurabilityClass:
    """Return what a confirmed message survives.

    Args:
        syncs_per_confirm: synchronous writes a confirmed message.
        durable: whether the queue is durable and messages are persistent.
    """
    if not durable:
        return DurabilityClass.NONE
    return DurabilityClass.SYSTEM if syncs_per_confirm >= SYNCED else DurabilityClass.PROCESS
