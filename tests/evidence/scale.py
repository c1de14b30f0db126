"""How far one worker goes: connections, openings, memory, queues, bodies. Needs a quiet machine and minutes.

    python -m tests.evidence.scale [--json FILE]

Against the null peer: 10,000 connections of one worker with one message a second each, the
memory that a connection takes, and how many open in a second. Against each broker: 1,000
connections, and 1,000 queues; bodies of 1 MiB, and of 16 MiB once.
"""

import argparse
import gc
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import psutil

from bench.arrivals.schedule import Constant, Stripe
from bench.ceiling.measure import environment, peer
from bench.drivers.base import PortSpec, ProducerLane
from bench.drivers.registry import driver_named, open_port
from bench.host.clock import RealClock
from bench.loadgen.pump import Pump, PumpCounters
from bench.loadgen.source import OpenLoop
from bench.record.account import ProducerLog, warm_kernels
from bench.units import NS_PER_MS, NS_PER_S
from brokers import image
from brokers.base import Broker
from brokers.endpoint import Endpoint
from brokers.opening import open_broker
from brokers.qpid_broker_j.settings import QpidBrokerJSettings
from brokers.rabbitmq.settings import RabbitMQSettings
from tests.live.driver_exchange import exchange, spec

MANY = 10_000
SECONDS = 15
MIB = 1024 * 1024
LARGEST = 16 * MIB - 1024
"""RabbitMQ 4 takes 16 MiB over 1.0, its sections included."""
CLOCK = RealClock()
Row = dict[str, str | float]


class Cells:
    """Ends a pump by the clock."""

    def __init__(self, end_ns: int) -> None:
        """End then."""
        self._end_ns = end_ns

    def end_ns(self) -> int:
        """Return when nothing more is sent."""
        return self._end_ns - NS_PER_S // 2

    def stopped(self) -> bool:
        """Return whether it is over."""
        return CLOCK.now_ns() >= self._end_ns

    def tokens(self) -> int:
        """Return none: the loop is open."""
        return 0

    def beat(self, progress: PumpCounters, now_ns: int) -> None:
        """Hear nothing."""


def endpoint(protocol: str, port: int) -> Endpoint:
    """Return where a null peer is."""
    return Endpoint(protocol, "127.0.0.1", port, "/", None, "guest", "guest")  # type: ignore[arg-type]


def memory() -> int:
    """Return what of this process is resident and its own, bytes."""
    gc.collect()
    return psutil.Process().memory_full_info().uss


def against_peer(driver: str) -> Iterator[Row]:
    """Open many connections to the null peer, and send a message a second on each."""
    described = driver_named(driver)
    protocol = described.protocol
    warm_kernels()
    with peer(protocol, connections=MANY + 64) as port:
        at = endpoint(protocol, port)
        lanes = tuple(ProducerLane(n, "q") for n in range(MANY))
        open_port(driver, PortSpec(at, lanes[:1], (), 100), CLOCK).close()  # what is needed once
        before, begin = memory(), time.perf_counter()
        with closing(open_port(driver, PortSpec(at, lanes, (), 100, confirm_window=4), CLOCK)) as opened:
            took = time.perf_counter() - begin
            yield {"what": f"{driver}: connections opened a second", "value": round(MANY / took)}
            yield {"what": f"{driver}: worker memory a connection, KiB", "value": (memory() - before) / MANY / 1024}
            start_ns = CLOCK.now_ns() + 100 * NS_PER_MS
            log = ProducerLog(tuple(range(MANY)), start_ns, 4, closed=False)
            source = OpenLoop(Stripe(Constant(MANY), start_ns))
            cells = Cells(start_ns + SECONDS * NS_PER_S)
            pump = Pump(
                opened, CLOCK, cells, source=source, producer=log, consumer=None, lanes=MANY, plans=described.plans
            )
            cpu = time.process_time()
            pump.run()
            cpu = time.process_time() - cpu
        sent, settled = pump.progress.sent, pump.progress.settled
        asked = MANY * (SECONDS - 0.5)
        yield {
            "what": f"{driver}: {MANY:,} connections x 1 msg/s: share of the offered that was sent",
            "value": sent / asked,
        }
        yield {"what": f"{driver}: … and confirmed", "value": settled / asked}
        yield {"what": f"{driver}: … CPU of the worker, cores", "value": cpu / SECONDS}


def against_broker(broker: Broker, driver: str) -> Iterator[Row]:
    """Open a thousand connections, use a thousand queues, and move large bodies."""
    protocol = driver_named(driver).protocol
    at = broker.endpoint(protocol)  # type: ignore[arg-type]
    names = [f"scale-{n}" for n in range(1_000)]
    for name in names:
        broker.declare(name, durable=False)
    begin = time.perf_counter()
    with closing(open_port(driver, spec(at, tuple(names[:500]), tuple(names[:500])), CLOCK)) as opened:
        yield {"what": f"{broker.name}, {driver}: 1,000 connections opened in, s", "value": time.perf_counter() - begin}
        rows = exchange(opened, 5_000, lanes=500)
        yield {"what": "… messages of 500 producers that arrived, of 5,000", "value": len(rows.delivered)}
    with closing(open_port(driver, spec(at, tuple(names), tuple(names), lanes_per_connection=20), CLOCK)) as opened:
        rows = exchange(opened, 10_000, lanes=1_000)
        yield {"what": "… over 1,000 queues on 100 connections, of 10,000", "value": len(rows.delivered)}
    for name in names:
        broker.delete(name)
    broker.declare("large", durable=False)
    for size, messages in ((MIB, 200), (LARGEST, 1)):
        begin = time.perf_counter()
        with closing(open_port(driver, spec(at, ("large",), ("large",), size=size, confirm_window=8), CLOCK)) as opened:
            rows = exchange(opened, messages)
        took = time.perf_counter() - begin
        assert [row[2] for row in rows.delivered] == list(range(messages))
        yield {
            "what": f"… {messages} bodies of {size / MIB:.0f} MiB, there and back, MiB/s",
            "value": size / MIB * messages / took,
        }
    broker.delete("large")


@contextmanager
def brokers() -> Iterator[Iterator[Broker]]:
    """Yield brokers of the stable image, one at a time."""
    root = image.ensure("stable", lambda text: print(text, file=sys.stderr)).root

    def each() -> Generator[Broker]:
        for settings in (
            RabbitMQSettings(name="rabbitmq", kind="rabbitmq"),
            QpidBrokerJSettings(name="broker-j", kind="qpid-broker-j", store="memory"),
        ):
            with tempfile.TemporaryDirectory() as folder:
                broker = open_broker(settings, Path(folder) / "broker", root, os.environ)
                broker.start()
                try:
                    yield broker
                finally:
                    broker.stop()

    with closing(each()) as running:
        yield running


def main(words: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--driver", action="append")
    parser.add_argument("--peer-only", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args(words)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    drivers = given.driver or ["wire091", "wire10"]
    found: list[Row] = []

    def keep(rows: Iterator[Row]) -> None:
        for row in rows:
            found.append(row)
            sys.stdout.write(f"{row['what']:<75} {row['value']:>12,.2f}\n")
            sys.stdout.flush()

    for driver in drivers:
        if given.peer_only:
            keep(against_peer(driver))
        else:  # a process of its own, as memory is measured
            command = [sys.executable, "-m", "tests.evidence.scale", "--peer-only", "--driver", driver]
            with tempfile.TemporaryDirectory() as folder:
                file = Path(folder) / "rows.json"
                subprocess.run([*command, "--json", str(file)], check=True, env=environment())
                found += json.loads(file.read_text())
    if not given.peer_only:
        with brokers() as each:
            for broker in each:
                for driver in drivers:
                    keep(against_broker(broker, driver))
    if given.json:
        given.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    np.seterr(all="raise")
    main()
