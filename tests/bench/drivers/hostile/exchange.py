"""What a driver makes of a broker: some messages there and back, judged as a trial would, in one process.

A producer and a consumer have a port each, as the workers of a trial do, and take turns.
"""

import pkgutil
import time
from dataclasses import dataclass, field

import numpy as np

from bench.drivers.base import ConsumerLane, DriverError, Port, PortSpec, ProducerLane
from bench.drivers.registry import open_port, registry
from bench.host.clock import RealClock
from bench.loadgen.backpressure import Backpressure
from bench.record.account import ConsumerLog, ProducerLog, account, warm_kernels
from bench.run.merge import Merged, merge_accounts
from bench.units import NS_PER_MS, NS_PER_S
from brokers.endpoint import Endpoint

COUNT = 60
"""Messages that are sent."""
SIZE = 40
STILL_S = 1.0
"""Without progress for that long, it stands still."""


@dataclass
class Exchange:
    """What came of it.

    Attributes:
        outcome: `completed`, `stalled`, or the class of the error that ended it.
        said: the words of that error.
        took_s: time from opening to closing.
        merged: what both sides recorded.
    """

    outcome: str = "completed"
    said: str = ""
    took_s: float = 0.0
    merged: Merged | None = None
    ports: list[Port] = field(default_factory=list)

    @property
    def counters(self) -> dict[str, int]:
        """What the drivers counted."""
        assert self.merged is not None
        return self.merged.counters


def exchange(driver: str, endpoint: Endpoint, *, window: int = 16, timeout_s: float = 12.0) -> Exchange:
    """Send `COUNT` messages and receive them, until all is done, nothing moves, or the broker ends it."""
    warm_kernels()
    if (warm := registry().installed[driver].member.warm) is not None:
        pkgutil.resolve_name(warm)()
    begun = time.monotonic()
    found = Exchange()
    spec = PortSpec(endpoint, (), (), SIZE, confirm_window=window, prefetch=20, ack_batch=4)
    consuming = PortSpec(**(vars(spec) | {"consumers": (ConsumerLane(0, "q"),)}))
    producing = PortSpec(**(vars(spec) | {"producers": (ProducerLane(0, "q"),)}))
    clock = RealClock()
    start_ns = clock.now_ns()
    sender, receiver = ProducerLog((0,), start_ns, window, closed=False), ConsumerLog(1, 1, 1, start_ns, closed=False)
    try:
        try:
            found.ports.append(open_port(driver, consuming, clock))
            found.ports.append(open_port(driver, producing, clock))
            if not _pump(found.ports[1], found.ports[0], sender, receiver, timeout_s):
                found.outcome = "stalled"
        except DriverError as error:
            found.outcome, found.said = type(error).__name__, str(error)
        sides = zip(found.ports, ((None, receiver), (sender, None)), strict=False)
        accounts = [account(*logs, port.counters()) for port, logs in sides]
        found.merged = merge_accounts(accounts, range(1), confirms=window > 0, drained=found.outcome == "completed")
    finally:
        for port in found.ports:
            port.close()
    found.took_s = time.monotonic() - begun
    return found


def _pump(producer: Port, consumer: Port, sender: ProducerLog, receiver: ConsumerLog, timeout_s: float) -> bool:
    """Return whether all was sent, settled and received."""
    clock, sent, settled, received = RealClock(), 0, 0, 0
    begun_ns = moved_ns = clock.now_ns()
    backpressure = Backpressure()
    while settled < COUNT or received < COUNT:
        room = min(producer.room(), COUNT - sent)
        before = (sent, settled, received)
        if room > 0:
            lane, seq = np.zeros(room, np.int64), np.arange(sent, sent + room)
            due_ns = np.full(room, clock.now_ns())
            sender.sent(lane, seq, due_ns, producer.send(lane, seq, due_ns), backpressure)
            sent += room
        settlements, _ = producer.poll(2 * NS_PER_MS)
        if len(settlements.seq):
            sender.settled(settlements)
            settled += len(settlements.seq)
        _, deliveries = consumer.poll(2 * NS_PER_MS)
        if len(deliveries.seq) or deliveries.foreign:
            received += len(receiver.received(deliveries))
        now_ns = clock.now_ns()
        if (sent, settled, received) != before:
            moved_ns = now_ns
        if now_ns - moved_ns > STILL_S * NS_PER_S or now_ns - begun_ns > timeout_s * NS_PER_S:
            return False
    return True
