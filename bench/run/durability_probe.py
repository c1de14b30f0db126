"""The probe for durability: what brokers write for persistent messages that are confirmed one by one.

It runs once a run and broker, when the last trial is over, on the instance that the trials
used, in quick runs as well: it takes a few seconds and nothing is timed meanwhile. One
message is in flight, so that no two confirms can share a write, and nobody consumes, as a
message that is acknowledged at once may never be written.
"""

import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path

import numpy as np

from bench.drivers.base import DriverError, Outcome, Port, PortSpec, ProducerLane
from bench.drivers.registry import open_port
from bench.host.clock import RealClock
from bench.results.durability import DurabilityRecord, Probe
from bench.run.fsync_count import count_syncs
from bench.run.running_brokers import Fleet
from bench.run.strace import NotTraced, files_open_for_synchronous_writing, traced
from bench.scenario.products import starts
from bench.scenario.scenario import MemoryBroker, Scenario, Workload
from bench.units import NS_PER_MS
from brokers.base import Broker, BrokerError
from brokers.endpoint import Protocol

MESSAGES = 200
FEWEST = 20
"""Fewer confirmed messages than this are no evidence."""
PATIENCE_S = 20.0
_UNCOUNTED = 10
"""Messages before those that are counted: files are opened for the first."""
_DRIVERS: dict[Protocol, str] = {"amqp091": "pika-codec", "amqp10": "proton-engine"}
"""What brokers are spoken to by here: the reference client of a protocol that they speak."""


def durable_brokers(scenario: Scenario) -> Iterator[tuple[str, Workload]]:
    """Yield the brokers that have a durable workload, each with the first of these."""
    for broker in scenario.brokers:
        targets = [target.name for target in scenario.targets if target.broker == broker.name]
        durable = (one for one in scenario.workloads if one.durable and any(map(one.is_for, targets)))
        first = None if isinstance(broker, MemoryBroker) else next(durable, None)
        if first is not None:
            yield broker.name, first


def probe_fleet(scenario: Scenario, fleet: Fleet, scratch: Path, say: Callable[[str], None]) -> DurabilityRecord | None:
    """Probe every broker that has a durable workload, as far as it runs; None where no workload is durable."""
    probes = []
    for name, workload in durable_brokers(scenario):
        if not starts(scenario.broker(name)):
            why = "someone else runs it, so it is neither traced nor filled"
            probes.append(Probe(broker=name, workload=workload.name, size=workload.size, why_not=why))
            continue
        running = fleet.running(name)
        if running is None:
            why = "it was no longer running after the trials"
            probes.append(Probe(broker=name, workload=workload.name, size=workload.size, why_not=why))
            continue
        say(f"counting what {name} writes for a confirmed message")
        probes.append(probe(running.broker, name, workload, scratch))
    return DurabilityRecord(probes=tuple(probes)) if probes else None


def probe(
    broker: Broker, name: str, workload: Workload, scratch: Path, *, messages: int = MESSAGES, queue: str | None = None
) -> Probe:
    """Probe one running broker; a fault is told in the result.

    Args:
        broker: it.
        name: what the result calls it.
        workload: a durable one, for the size of messages.
        scratch: a folder for what strace says.
        messages: how many are sent and counted.
        queue: a queue that is there; by default a durable one is made, and deleted afterwards.
    """
    found = Probe(broker=name, workload=workload.name, size=workload.size)
    if not broker.pids():
        return found.model_copy(update={"why_not": "its processes cannot be seen"})
    own = queue or f"busbench-durability-{secrets.token_hex(3)}"
    try:
        if queue is None:
            broker.declare(own, durable=True)
        try:
            return found.model_copy(update=_evidence(broker, own, workload.size, messages, scratch))
        finally:
            if queue is None:
                with suppress(BrokerError):
                    broker.delete(own)
    except (BrokerError, DriverError, NotTraced, OSError) as error:
        return found.model_copy(update={"why_not": str(error)})


def _evidence(broker: Broker, queue: str, size: int, messages: int, scratch: Path) -> dict[str, int]:
    """Send, watch and count; return fields of a Probe."""
    protocol = broker.protocols()[0]
    spec = PortSpec(
        broker.endpoint(protocol), (ProducerLane(0, queue),), (), size, durable=True, confirm_window=1, ack_batch=1
    )
    pids, said = broker.pids(), scratch / f"{queue}.strace"
    with closing(open_port(_DRIVERS[protocol], spec, RealClock())) as port:
        _send_one_by_one(port, range(_UNCOUNTED))
        with traced(pids, said):
            synchronous = files_open_for_synchronous_writing(pids)
            from_s = time.time()
            confirmed = _send_one_by_one(port, range(_UNCOUNTED, _UNCOUNTED + messages))
            to_s = time.time()
    if confirmed < min(FEWEST, messages):
        message = f"only {confirmed} of {messages} messages were confirmed within {PATIENCE_S:g} s"
        raise NotTraced(message)
    with said.open(encoding="utf-8", errors="replace") as lines:
        counted = count_syncs(lines, synchronous, from_s, to_s)
    return {"messages": confirmed} | vars(counted)


def _send_one_by_one(port: Port, numbers: Sequence[int]) -> int:
    """Send messages, each when the one before is confirmed; return how many were within PATIENCE_S."""
    until = time.monotonic() + PATIENCE_S
    lane = np.zeros(1, np.int64)
    for done, number in enumerate(numbers):
        while port.room() < 1:
            port.poll(NS_PER_MS)
            if time.monotonic() > until:
                return done
        port.send(lane, np.array([number], np.int64), np.array([time.monotonic_ns()], np.int64))
        outcome: int | None = None
        while outcome is None:
            settled, _ = port.poll(NS_PER_MS * 100)
            outcome = int(settled.outcome[-1]) if len(settled.outcome) else None
            if outcome is None and time.monotonic() > until:
                return done
        if outcome != Outcome.CONFIRMED:
            message = f"it answered a persistent message with {Outcome(outcome).name.lower()}"
            raise DriverError(message)
    return len(numbers)
