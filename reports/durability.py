"""What a broker's "durable" promises: rows of unlike promise are not compared. Pure.

Classes go by the synchronous writes that the run's own probe counted (`bench.durability`).
Where nothing was counted they go by what each store was seen to do elsewhere (one message
at a time): RabbitMQ quorum one fsync a message, classic one in a thousand; Broker-J BDB one
fsync a message, Derby one O_DSYNC write a message.
"""

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum

from bench.durability import DurabilityClass, DurabilityRecord, Probe
from bench.scenario import MemoryBroker, Scenario, Workload


class Durability(StrEnum):
    """What a confirmed message survives."""

    NONE = "nothing: it is lost with the broker"
    PROCESS = "a crash of the broker's process"
    SYSTEM = "a crash of the operating system"
    UNKNOWN = "what is not known, as someone else runs this broker"


_STORES = {
    ("rabbitmq", "classic"): Durability.PROCESS,
    ("rabbitmq", "quorum"): Durability.SYSTEM,
    ("qpid-broker-j", "memory"): Durability.NONE,
    ("qpid-broker-j", "bdb"): Durability.SYSTEM,
    ("qpid-broker-j", "derby"): Durability.SYSTEM,
}


_MEASURED = {
    DurabilityClass.NONE: Durability.NONE,
    DurabilityClass.PROCESS: Durability.PROCESS,
    DurabilityClass.SYSTEM: Durability.SYSTEM,
}


def durability(
    scenario: Scenario, broker: str, workload: Workload, probes: Mapping[str, Probe] | None = None
) -> Durability:
    """Return what a confirmed message of a workload survives; raise KeyError for an unknown broker.

    Args:
        scenario: where the broker's settings stand.
        broker: its name.
        workload: what is done to it.
        probes: what was counted, by broker; settings decide where nothing was.
    """
    settings = scenario.broker(broker)
    if not workload.durable or isinstance(settings, MemoryBroker):
        return Durability.NONE
    measured = probes[broker].durability if probes and broker in probes else None
    if measured is not None:
        return _MEASURED[measured]
    if settings.place == "external":
        return Durability.UNKNOWN
    store = settings.durable_queue if settings.kind == "rabbitmq" else settings.store
    return _STORES[settings.kind, store]


def evidence(probes: Mapping[str, Probe]) -> Iterator[str]:
    """Yield, broker by broker, what was counted, or why nothing was."""
    for broker, probe in probes.items():
        judged = "" if probe.measured else "; the class goes by its settings"
        yield f"{broker}, persistent messages of {probe.size} B confirmed one by one: {probe.words}{judged}."


def joined(records: Iterable[DurabilityRecord | None]) -> dict[str, Probe]:
    """Return one probe a broker of several runs: the one that promises least; one that found nothing stands last."""
    found: dict[str, list[Probe]] = {}
    for record in records:
        for probe in record.probes if record else ():
            found.setdefault(probe.broker, []).append(probe)
    return {
        broker: min(probes, key=lambda probe: (not probe.measured, probe.syncs_per_confirm))
        for broker, probes in found.items()
    }
