"""What a broker's "durable" promises; rows that promise different things are not compared. Pure.

The class follows from the synchronous writes that the run's own probe counted
(`bench.results.durability`). Where nothing was counted, it is the class that the run recorded for
the product, which is what the product was seen to do elsewhere.
"""

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum

from bench.results.durability import DurabilityClass, DurabilityRecord, Probe
from bench.results.product_record import ProductRecord
from bench.scenario.scenario import Workload


class Durability(StrEnum):
    """What a confirmed message survives."""

    NONE = "no crash, as it is lost when the broker's process ends"
    PROCESS = "a crash of the broker's process"
    SYSTEM = "a crash of the operating system"
    UNKNOWN = "an unknown kind of crash, as someone else runs this broker"


_MEASURED = {
    DurabilityClass.NONE: Durability.NONE,
    DurabilityClass.PROCESS: Durability.PROCESS,
    DurabilityClass.SYSTEM: Durability.SYSTEM,
}


def durability(
    products: Mapping[str, ProductRecord], broker: str, workload: Workload, probes: Mapping[str, Probe] | None = None
) -> Durability:
    """Return what a confirmed message of a workload survives; raise KeyError for an unknown broker.

    Args:
        products: what the products of the run say, by broker.
        broker: its name.
        workload: what is done to it.
        probes: what was counted, by broker; where nothing was, the product's record decides.
    """
    if not workload.durable:
        return Durability.NONE
    promises = products[broker].durable.promises
    measured = probes[broker].durability if probes and broker in probes else None
    if measured is not None:
        return _MEASURED[measured]
    return Durability.UNKNOWN if promises is None else _MEASURED[promises]


def evidence(probes: Mapping[str, Probe]) -> Iterator[str]:
    """Yield, broker by broker, what was counted, or why nothing was."""
    for broker, probe in probes.items():
        judged = "" if probe.measured else "; the class follows from its settings"
        yield f"{broker}, persistent messages of {probe.size} B confirmed one by one: {probe.words}{judged}."


def joined(records: Iterable[DurabilityRecord | None]) -> dict[str, Probe]:
    """Return one probe for each broker of several runs: the one that promises least; any that counted goes first."""
    found: dict[str, list[Probe]] = {}
    for record in records:
        for probe in record.probes if record else ():
            found.setdefault(probe.broker, []).append(probe)
    return {
        broker: min(probes, key=lambda probe: (not probe.measured, probe.syncs_per_confirm))
        for broker, probes in found.items()
    }
