"""Drivers `wire091` and `wire10`: AMQP 0-9-1 and 1.0 by our own compiled codecs. What they say of themselves.

It stands apart from the drivers, as importing those imports the compiler.
"""

from functools import partial

from bench.drivers.description import Driver

_compiled = partial(Driver, multiplexes=True, mixes=True, plans=True, kernel_times=True, holds=True)

WIRE091 = _compiled(
    name="wire091",
    protocol="amqp091",
    description="our compiled AMQP 0-9-1: drives a broker to its limit",
    open_port="bench.drivers.wire.wire091:open_port",
    warm="bench.drivers.wire.wire091:warm",
    shapes=("route", "properties", "body", "compact", "consuming", "requests"),
)

WIRE10 = _compiled(
    name="wire10",
    protocol="amqp10",
    description="our compiled AMQP 1.0: drives a broker to its limit",
    open_port="bench.drivers.wire.wire10:open_port",
    warm="bench.drivers.wire.wire10:warm",
    shapes=("route", "properties", "body", "compact", "consuming", "requests"),
    options=(
        (
            "reattach",
            "messages after which a producer's link is attached anew where confirm_window = 0, such as 15000",
        ),
    ),
)
