"""A closed loop through a relay, for short slices: what one host does with one fixed load.

Run as `python -m bench.ceiling.round_trips PORT`. It says `ready`, and then measures a slice
for each line of its standard input, which holds seconds: it keeps `IN_FLIGHT` messages on
their way to the relay and back and prints what came of them as JSON. It is the worker's own
loop, driver and log that run. It ends with its input.
"""

import argparse
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import closing

import pika
from pydantic import BaseModel, ConfigDict, Field

from bench.drivers.base import ConsumerLane, DriverError, Int64, Port, PortSpec, ProducerLane
from bench.drivers.registry import open_port
from bench.host.clock import RealClock
from bench.host.realtime import be_punctual
from bench.loadgen.pump import Pump, PumpCounters
from bench.loadgen.source import ClosedLoop
from bench.record.account import ConsumerLog, ProducerLog, account, warm_kernels
from bench.record.histogram import to_histogram
from bench.units import NS_PER_S
from brokers.endpoint import Endpoint

IN_FLIGHT = 16
SIZE = 100
"""Bytes of a body."""
DRIVER = "wire091"
_QUEUE = "round-trips"
_STRAGGLERS_NS = 2 * NS_PER_S
"""How long the last messages of a slice may take to come back."""


class LoopSlice(BaseModel):
    """What came of a slice: round trips from sent to received, and messages a second."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    p50_ns: float = Field(gt=0)
    p99_ns: float = Field(gt=0)
    rate: float = Field(gt=0)


class _SliceCells:
    """What a pump reads and writes, without a conductor: it sends until the time is up, and waits for what it sent."""

    def __init__(self, end_ns: int) -> None:
        self.returned = 0
        self.counters = PumpCounters()
        self._end_ns = end_ns

    def end_ns(self) -> int:
        """Return when nothing more is sent."""
        return self._end_ns

    def stopped(self) -> bool:
        """Return whether to leave the loop now."""
        now_ns = time.monotonic_ns()
        if now_ns < self._end_ns:
            return False
        return self.returned == self.counters.sent or now_ns >= self._end_ns + _STRAGGLERS_NS

    def tokens(self) -> int:
        """Return how many messages came back."""
        return self.returned

    def hunger(self, *, hungry: bool) -> None:
        """Hear nothing: what comes back comes to this very loop."""

    def beat(self, progress: PumpCounters, now_ns: int) -> None:
        """Show it to nobody."""


def port_spec(port: int) -> PortSpec:
    """Return one producer and one consumer of one queue, without confirms and acknowledgements."""
    endpoint = Endpoint("amqp091", "127.0.0.1", port, "/", None, "guest", "guest")
    lanes = (ProducerLane(0, _QUEUE),), (ConsumerLane(0, _QUEUE),)
    return PortSpec(endpoint, *lanes, SIZE, confirm_window=0, prefetch=2 * IN_FLIGHT, ack_batch=0)


def declare(port: int) -> None:
    """Make the queue."""
    with closing(pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", port))) as connection:
        connection.channel().queue_declare(_QUEUE, durable=True)


def measure_slice(port: Port, seconds: float) -> LoopSlice:
    """Keep messages on their way for some seconds, until the last is back.

    Raises:
        DriverError: the connection broke, or messages did not come back.
    """
    begin_ns = time.monotonic_ns()
    cells = _SliceCells(begin_ns + int(seconds * NS_PER_S))
    consumer = ConsumerLog(1, 1, 1, begin_ns, closed=True)

    def give(producers: Int64) -> None:
        cells.returned += len(producers)

    pump = Pump(
        port,
        RealClock(),
        cells,
        source=ClosedLoop(IN_FLIGHT, begin_ns, cells),
        producer=ProducerLog((0,), begin_ns, 0, closed=True),
        consumer=consumer,
        lanes=1,
        received=give,
    )
    cells.counters = pump.progress
    pump.run()
    if cells.returned != pump.progress.sent:
        message = f"{pump.progress.sent - cells.returned} messages did not come back from the relay"
        raise DriverError(message)
    took_s = (time.monotonic_ns() - begin_ns) / NS_PER_S
    service = account(None, consumer, {}).latencies["service"]
    trips = to_histogram(service.index, service.count)
    return LoopSlice(
        p50_ns=trips.get_value_at_percentile(50),
        p99_ns=trips.get_value_at_percentile(99),
        rate=cells.returned / took_s,
    )


def serve(port: Port, lines: Iterable[str]) -> None:
    """Measure a slice for each line and print it."""
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in lines:
        sys.stdout.write(f"{measure_slice(port, float(line)).model_dump_json()}\n")
        sys.stdout.flush()


def main(words: Sequence[str] | None = None) -> None:
    """Serve until standard input ends."""
    parser = argparse.ArgumentParser(prog="python -m bench.ceiling.round_trips", description=__doc__)
    parser.add_argument("port", type=int)
    given = parser.parse_args(words)
    warm_kernels()
    declare(given.port)
    with closing(open_port(DRIVER, port_spec(given.port), RealClock())) as port:
        be_punctual()
        serve(port, sys.stdin)


if __name__ == "__main__":
    main()
