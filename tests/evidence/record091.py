"""Record what real brokers send over AMQP 0-9-1 into `tests/golden`, for tests of the codec.

    python -m tests.evidence.record091

One file a broker and side: 30 messages confirmed to a producer; to a consumer the same
ones, three bodies of others (with headers, empty, short) and one of 9,000
octets in three frames, as the least frame size is agreed on.
"""

import os
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import pika

from bench.drivers.base import ConsumerLane, PortSpec, ProducerLane
from bench.drivers.sockets import stream
from bench.drivers.wire import wire091_connection
from bench.drivers.wire.wire091 import open_port
from bench.host.clock import RealClock
from bench.units import NS_PER_S
from brokers import image
from brokers.base import Broker
from brokers.opening import open_broker
from brokers.qpid_broker_j.settings import QpidBrokerJSettings
from brokers.rabbitmq.settings import RabbitMQSettings
from tests.live.driver_exchange import Exchanged, channel, gather, send

GOLDEN = Path(__file__).parents[1] / "golden"
QUEUE = "golden"
MESSAGES = 30
FRAME_MAX = 4_096
LARGE = 9_000


def record(broker: Broker, name: str) -> None:
    """Write what a producer and a consumer receive from a broker."""
    received: list[bytes] = []
    plain_recv = stream.Stream.recv_into

    def recv_into(self: stream.Stream, buffer: memoryview) -> int | None:
        got = plain_recv(self, buffer)
        received.append(bytes(buffer[: got or 0]))
        return got

    broker.declare(QUEUE, durable=False)
    at = broker.endpoint("amqp091")
    stream.Stream.recv_into = recv_into  # type: ignore[method-assign]
    rows = Exchanged()
    with closing(open_port(PortSpec(at, (ProducerLane(100, QUEUE),), (), 100), RealClock())) as port:
        send(port, rows, 0, MESSAGES)
        while len(rows.settled) < MESSAGES:
            gather(port, rows)
    (GOLDEN / f"amqp091-{name}-producer.bin").write_bytes(b"".join(received))
    received.clear()
    with channel(broker) as plain:
        headers = pika.BasicProperties(
            content_type="text/plain", headers={"a": 1, "b": "c"}, message_id="m", priority=3
        )
        for body in (b"short", b"", b"x" * 200, b"y" * LARGE):
            plain.basic_publish("", QUEUE, body, headers)
    with closing(open_port(PortSpec(at, (), (ConsumerLane(0, QUEUE),), 100), RealClock())) as port:
        deadline_ns = RealClock().now_ns() + 10 * NS_PER_S
        while (len(rows.delivered), rows.foreign) != (MESSAGES, 4) and RealClock().now_ns() < deadline_ns:
            gather(port, rows)
    (GOLDEN / f"amqp091-{name}-consumer.bin").write_bytes(b"".join(received))
    stream.Stream.recv_into = plain_recv  # type: ignore[method-assign]


def main() -> None:
    """Record from both brokers of the stable image."""
    wire091_connection.FRAME_MAX = FRAME_MAX
    root = image.ensure("stable", lambda text: sys.stderr.write(f"{text}\n")).root
    GOLDEN.mkdir(exist_ok=True)
    for settings in (
        RabbitMQSettings(name="rabbitmq", kind="rabbitmq"),
        QpidBrokerJSettings(name="broker-j", kind="qpid-broker-j"),
    ):
        with tempfile.TemporaryDirectory() as folder:
            broker = open_broker(settings, Path(folder) / "broker", root, os.environ)
            broker.start()
            try:
                record(broker, settings.name)
            finally:
                broker.stop()


if __name__ == "__main__":
    main()
