"""What we tell of messages beside what a packet capture shows of the same ones, message by message.

    python -m tests.evidence.kernel_times [--json FILE] [--rate 5000] [--seconds 10]

One producer and one consumer of `wire091` on RabbitMQ, as workers have them, but every row is kept. `own` is received
less sent; `wire` from the packet that took a message to the broker to the one that brought it back. Told apart are
messages that were read alone, whose times are exact, and host pauses, which are left out. Needs root and tcpdump.
"""

import argparse
import contextlib
import json
import multiprocessing
import struct
import sys
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from bench.cli.image import ensure_images
from bench.crosscheck import frames091
from bench.crosscheck.pcap import pieces, segments
from bench.crosscheck.tcpdump import Sniffer
from bench.drivers.base import ConsumerLane, Int64, PortSpec, ProducerLane
from bench.drivers.wire.wire091 import open_port
from bench.host.clock import RealClock
from bench.host.realtime import be_punctual, be_unhurried
from bench.pauses.meter import PauseMeter
from bench.pauses.watch import PauseWatch
from bench.run.running_brokers import Fleet
from bench.run.scratch_folder import scratch_folder
from bench.units import NS_PER_MS, NS_PER_S
from brokers.endpoint import Endpoint
from tests.evidence.highest import scenario

QUEUE = "busbench-kernel-times"
CLOCK = RealClock()
_STAMP = struct.Struct("<IIqqq")
_PLAN_NS = 40 * NS_PER_MS
_PATIENCE_S = 10
_AROUND_NS = 5 * NS_PER_MS
"""Messages within this time of a pause are left out: the queue that it left is the host's too."""


def produce(endpoint: Endpoint, rate: float, seconds: float, pipe: Connection) -> None:
    """Send messages at their times, and say when the first was due."""
    lane = (ProducerLane(0, QUEUE),)
    port = open_port(PortSpec(endpoint, lane, (), 100, confirm_window=256, kernel_times=True), CLOCK)
    be_punctual()
    begin_ns = CLOCK.now_ns() + NS_PER_S // 2
    pipe.send(begin_ns)
    due_ns = begin_ns + (np.arange(int(rate * seconds)) * NS_PER_S / rate).astype(np.int64)
    done = 0
    while done < len(due_ns):
        until_ns = CLOCK.now_ns() + _PLAN_NS
        rows = slice(done, max(done + 1, int(np.searchsorted(due_ns, until_ns))))
        count = len(due_ns[rows])
        done += len(
            port.send_planned(np.zeros(count, np.int64), np.arange(done, done + count), due_ns[rows], until_ns, 0)
        )
        port.poll(0)
    port.close()


def consume(endpoint: Endpoint, messages: int, pipe: Connection) -> None:
    """Receive so many messages; hand over sequence number, sent, received and read of each."""
    lane = (ConsumerLane(0, QUEUE),)
    port = open_port(PortSpec(endpoint, (), lane, 100, ack_batch=0, kernel_times=True, gather_ns=_PLAN_NS), CLOCK)
    be_unhurried()
    pipe.send(None)
    parts, count = [], 0
    while count < messages:
        _, rows = port.poll(_PLAN_NS)
        if rows.read_ns is None:  # nothing came
            continue
        parts.append(np.stack([rows.seq, rows.sent_ns, rows.received_ns, rows.read_ns]))
        count += len(rows.seq)
    port.close()
    pipe.send(np.concatenate(parts, axis=1))


@contextlib.contextmanager
def child(work: object, *words: object) -> Iterator[Connection]:
    """Run a side in a process of its own; yield our end of its pipe."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=work, args=(*words, theirs))  # type: ignore[arg-type]
    process.start()
    try:
        yield ours
        process.join(30)
    finally:
        process.kill()
        process.join()


def on_the_wire(capture: bytes, port: int) -> dict[str, dict[int, int]]:
    """Return when each message left and came back, real ns, by its number."""
    found: dict[str, dict[int, int]] = {"out": {}, "back": {}}
    for (source, target), parts in pieces(segments(capture)).items():
        way, method = ("out", frames091.PUBLISH) if target[1] == port else ("back", frames091.DELIVER)
        for part in parts if port in {source[1], target[1]} else ():
            for body, end in frames091.messages(part.data, method):
                found[way][_STAMP.unpack_from(body)[2]] = part.time_ns(end)
    return found


def clock_difference_ns() -> int:
    """Return real less monotonic time, by the closest of many readings."""
    readings = []
    for _ in range(1_000):
        before_ns, real_ns, after_ns = time.monotonic_ns(), time.time_ns(), time.monotonic_ns()
        readings.append((after_ns - before_ns, real_ns - (before_ns + after_ns) // 2))
    return min(readings)[1]


def undisturbed(rows: Int64, pauses: Int64) -> Int64:
    """Return the rows, (seq, sent, received, read), of messages that no pause of the host came near."""
    clean = np.ones(rows.shape[1], bool)
    for _, begin_ns, end_ns in pauses.tolist():
        clean &= (rows[3] < begin_ns) | (rows[1] > end_ns + _AROUND_NS)
    return rows[:, clean]


def quantiles(name: str, values_ns: Int64) -> dict[str, float]:
    """Return p50 and p99 in µs."""
    return {f"{name}, p{at}, µs": round(float(np.percentile(values_ns, at)) / 1_000, 1) for at in (50, 99)}


def measure(endpoint: Endpoint, folder: Path, rate: float, seconds: float) -> dict[str, float]:
    """Send, receive and capture; compare."""
    messages = int(rate * seconds)
    with PauseMeter(Path("/sys/fs/cgroup")) as meter, Sniffer(endpoint.port, folder) as sniffer:
        sniffer.begin()
        sniffer.await_begin()
        with child(consume, endpoint, messages) as consumer:
            consumer.recv()
            watch = PauseWatch(meter.board, None)
            meter.run()
            with child(produce, endpoint, rate, seconds) as producer:
                producer.recv()
                until = time.monotonic() + seconds + _PATIENCE_S
                while not consumer.poll(0.2):
                    watch.look()
                    if time.monotonic() > until:
                        message = "the consumer did not get all messages"
                        raise TimeoutError(message)
                rows = consumer.recv()
            watch.look()
            meter.rest()
        capture, dropped = sniffer.end()
    wire, offset_ns = on_the_wire(capture, endpoint.port), clock_difference_ns()
    warm = rows[:, rows[0] >= rate]  # the first second warms everything up
    clean = undisturbed(warm, watch.pauses())
    seen = np.array([n in wire["out"] and n in wire["back"] for n in clean[0].tolist()])
    seq, sent, received, read = clean[:, seen]
    out, back = (np.array([wire[way][n] for n in seq.tolist()]) - offset_ns for way in ("out", "back"))
    _, first, together = np.unique(read, return_inverse=True, return_counts=True)
    alone = together[first] == 1
    found: dict[str, float] = {
        "messages": len(seq),
        "packets dropped": dropped,
        "left out for pauses of the host, %": round(100 * (1 - clean.shape[1] / warm.shape[1]), 2),
        "read alone, %": round(100 * float(alone.mean()), 1),
    }
    for who, which in (("alone", alone), ("all", np.ones(len(seq), bool))):
        found |= quantiles(f"{who}: own", (received - sent)[which])
        found |= quantiles(f"{who}: wire", (back - out)[which])
        found |= quantiles(f"{who}: from our stamp to the packet", (out - sent)[which])
        found |= quantiles(f"{who}: from the packet to the kernel's time", (received - back)[which])
        found |= quantiles(f"{who}: receive lag", (read - received)[which])
        found |= quantiles(f"{who}: own, if received were read", (read - sent)[which])
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--rate", type=float, default=5_000.0)
    parser.add_argument("--seconds", type=float, default=10.0)
    given = parser.parse_args()
    base = scenario(1.0, 4)
    roots = {name: found.root for name, found in ensure_images(base).items()}
    with scratch_folder() as scratch:
        fleet = Fleet(base, scratch, roots, lambda _text: None)
        try:
            broker = fleet.get("rabbitmq", 0).broker
            broker.declare(QUEUE, durable=False)
            runs = [measure(broker.endpoint("amqp091"), scratch, given.rate, given.seconds) for _ in range(3)]
        finally:
            fleet.stop_all()
    found = {name: float(np.median([run[name] for run in runs])) for name in runs[0]}
    for name, value in found.items():
        sys.stdout.write(f"{name:<55} {value:,g}\n")
    if given.json:
        given.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
