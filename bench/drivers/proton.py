"""Driver `proton`: AMQP 1.0 by Qpid Proton, the stock client, on its engine alone.

The engine has neither socket nor loop, so both are ours; Proton's `Container`, which most
Python applications use, takes twice the processor time at 1,000 messages a second and
waits by the millisecond. One worker has one thread and one loop, each lane a connection,
a session and a link.
"""

from bench.clock import Clock
from bench.drivers.base import Port, PortSpec
from bench.drivers.proton_lane import ProtonConsumer, ProtonProducer
from bench.drivers.socket_port import SocketPort


def open_port(spec: PortSpec, clock: Clock) -> Port:
    """Open every connection and lane of a worker.

    Raises:
        Refused: wrong credentials, missing virtual host, missing node.
        ConnectionLost: nobody answers, or the connection broke.
    """
    return SocketPort(spec, clock, ProtonProducer, ProtonConsumer)
