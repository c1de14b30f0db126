"""Driver `pika`: AMQP 0-9-1 by pika, the stock Python client.

Asynchronous, with a window of publisher confirms. Encoding, decoding and the state of
connections and channels are pika's; socket, waiting and timers are ours, as pika's own
adapters round waits up to milliseconds. One worker has one thread and one loop, each lane
a connection and a channel.
"""

from bench.clock import Clock
from bench.drivers.base import Port, PortSpec
from bench.drivers.pika_lane import PikaConsumer, PikaProducer
from bench.drivers.socket_port import SocketPort


def open_port(spec: PortSpec, clock: Clock) -> Port:
    """Open every connection and lane of a worker.

    Raises:
        Refused: wrong credentials, missing virtual host, missing queue.
        ConnectionLost: nobody answers, or the connection broke.
    """
    return SocketPort(spec, clock, PikaProducer, PikaConsumer)
