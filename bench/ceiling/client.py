"""One driver against the null peer, one way, for a while: a process of its own, as a worker is.

It is the worker's own loop and logs that run, so that everything that would be recorded is
recorded. Run as `python -m bench.ceiling.client DRIVER SIDE PORT …`; prints JSON.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from contextlib import closing

from bench.ceiling.stored import Side, Way
from bench.drivers.base import ConsumerLane, Port, PortSpec, ProducerLane
from bench.drivers.registry import driver_named, open_port
from bench.host.clock import RealClock
from bench.host.realtime import be_punctual, be_unhurried
from bench.host.rlimit import allow_most
from bench.loadgen.pump import Pump, PumpCounters
from bench.loadgen.source import ClosedLoop
from bench.record.account import ConsumerLog, ProducerLog, warm_kernels
from bench.units import NS_PER_MS, NS_PER_S
from brokers.endpoint import Endpoint

WINDOW = 1_000
"""Confirm window, and prefetch, of the rows with confirms and acknowledgements."""
ACK_BATCH = 64
_WARM_NS = 500 * NS_PER_MS
_ENDLESS = 1 << 50


class _Cells:
    """What a pump reads and writes, without a conductor: it warms up, is measured, and ends by the clock."""

    def __init__(self, seconds: float) -> None:
        self._measure_ns = time.monotonic_ns() + _WARM_NS
        self._end_ns = self._measure_ns + int(seconds * NS_PER_S)
        self._begun: tuple[int, int, float] | None = None
        self._messages = 0

    def end_ns(self) -> int:
        """Return when nothing more is sent."""
        return self._end_ns

    def stopped(self) -> bool:
        """Return whether to leave the loop now."""
        return time.monotonic_ns() >= self._end_ns

    def tokens(self) -> int:
        """Return how many messages came back: none ever does."""
        return 0

    def hunger(self, *, hungry: bool) -> None:
        """Hear nothing: there are tokens without end."""

    def beat(self, progress: PumpCounters, now_ns: int) -> None:
        """Note where the measured part begins."""
        self._messages = progress.sent + progress.received
        if self._begun is None and now_ns >= self._measure_ns:
            self._begun = (time.monotonic_ns(), self._messages, time.process_time())

    def result(self, messages: int) -> tuple[float, float]:
        """Return messages a second and CPU µs a message of the measured part, now that it is over."""
        assert self._begun is not None  # noqa: S101  (for the type checker: beats come all the time)
        begin_ns, before, cpu_s = self._begun
        count = messages - before
        took_s = (time.monotonic_ns() - begin_ns) / NS_PER_S
        return count / took_s, (time.process_time() - cpu_s) * 1e6 / max(count, 1)


def run(driver: str, side: Side, port: int, *, settled: bool, size: int, seconds: float, lanes: int = 1) -> Way:
    """Drive the peer at 127.0.0.1:`port`; return what came of the part after the warm-up.

    Raises:
        DriverError: see `bench.drivers.base`.
    """
    described = driver_named(driver)
    protocol = described.protocol
    assert protocol != "memory"  # noqa: S101  (for the type checker: it has no peer)
    sending = side == "send"
    spec = PortSpec(
        Endpoint(protocol, "127.0.0.1", port, "/", None, "guest", "guest"),
        tuple(ProducerLane(lane, f"q{lane}") for lane in range(lanes)) if sending else (),
        tuple(ConsumerLane(lane, f"q{lane}") for lane in range(lanes)) if not sending else (),
        size,
        confirm_window=WINDOW if settled else 0,
        prefetch=WINDOW,
        ack_batch=ACK_BATCH if settled else 0,
        kernel_times=described.kernel_times,
    )
    warm_kernels()
    with closing(open_port(driver, spec, RealClock())) as opened:
        if described.kernel_times:
            be_unhurried()
        else:
            be_punctual()
        cells, start_ns = _Cells(seconds), time.monotonic_ns()
        progress = _drive(opened, spec, cells, start_ns, plans=described.plans)
        rate, cpu_us = cells.result(progress.sent + progress.received)
    return Way(side=side, settled=settled, rate=rate, cpu_us=cpu_us)


def _drive(port: Port, spec: PortSpec, cells: _Cells, start_ns: int, *, plans: bool) -> PumpCounters:
    """Run the worker's loop with its logs until the time is up."""
    producer = consumer = source = None
    if spec.producers:
        numbers = tuple(lane.producer for lane in spec.producers)
        producer = ProducerLog(numbers, start_ns, spec.confirm_window, closed=True)
        source = ClosedLoop(_ENDLESS, start_ns, cells)
    else:
        consumer = ConsumerLog(len(spec.consumers), 1, 1, start_ns, closed=True)
    pump = Pump(
        port,
        RealClock(),
        cells,
        source=source,
        producer=producer,
        consumer=consumer,
        lanes=len(spec.producers),
        plans=plans,
    )
    pump.run()
    return pump.progress


def main(words: Sequence[str] | None = None) -> None:
    """Measure one way and print it as JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench.ceiling.client", description=__doc__)
    parser.add_argument("driver")
    parser.add_argument("side", choices=("send", "receive"))
    parser.add_argument("port", type=int)
    parser.add_argument("--settled", action="store_true", help="with confirms, or acknowledgements")
    parser.add_argument("--size", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--lanes", type=int, default=1)
    given = parser.parse_args(words)
    allow_most()
    way = run(
        given.driver,
        given.side,
        given.port,
        settled=given.settled,
        size=given.size,
        seconds=given.seconds,
        lanes=given.lanes,
    )
    sys.stdout.write(f"{way.model_dump_json()}\n")


if __name__ == "__main__":
    main()
