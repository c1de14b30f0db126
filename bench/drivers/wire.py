"""Driver `wire091`: AMQP 0-9-1 by our own compiled codec. What it says of itself.

It stands apart from the driver, as importing that imports the compiler.
"""

from bench.drivers.description import Driver

WIRE091 = Driver(
    name="wire091",
    protocol="amqp091",
    description="our compiled AMQP 0-9-1: drives a broker to its limit",
    open_port="bench.drivers.wire091:open_port",
    warm="bench.drivers.wire091:warm",
    multiplexes=True,
)
