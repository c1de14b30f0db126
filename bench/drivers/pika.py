"""Driver `pika`: AMQP 0-9-1 by pika, the stock Python client. What it says of itself.

Asynchronous, with a window of publisher confirms. Encoding, decoding and the state of
connections and channels are pika's; socket, waiting and timers are ours, as pika's own
adapters round waits up to milliseconds. One worker has one thread and one loop, each lane
a connection and a channel.
"""

from bench.drivers.description import Driver

DRIVER = Driver(
    name="pika",
    protocol="amqp091",
    description="pika, asynchronous: what a Python application sees",
    open_port="bench.drivers.pika_lane:open_port",
    distribution="pika",
    mixes=True,
)
