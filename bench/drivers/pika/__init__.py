"""Drivers by pika, the stock Python client for AMQP 0-9-1: its codec alone, and pika as applications use it.

`pika-codec`: encoding, decoding and the state of connections and channels are pika's; socket,
waiting and timers are ours, and publisher confirms fill a window. To send, that costs least; to
receive, pika's own loop is no dearer.
`pika-select` is `pika.SelectConnection`: socket, reads, writes and timers are those of its loop,
messages and confirms come by callback and confirms fill a window, as in an asynchronous application.
`pika-blocking` is `pika.BlockingConnection`, socket, loop and all: an application that publishes by
it waits for each confirm.
"""

from dataclasses import replace
from functools import partial

from bench.drivers.description import Driver

_pika = partial(
    Driver,
    protocol="amqp091",
    distribution="pika",
    warm="bench.drivers.message_keys:warm",
    mixes=True,
    holds=True,
    shapes=("route", "properties", "body", "compact", "consuming"),
)

CODEC = _pika(
    name="pika-codec",
    description="pika's codec in our own loop: what encoding and decoding cost, without pika's sockets and waits",
    open_port="bench.drivers.pika.codec_lane:open_port",
)
FORMER_CODEC = replace(CODEC, name="pika", now="pika-codec")
"""What results and scenarios of earlier versions call it."""
SELECT = _pika(
    name="pika-select",
    description="pika.SelectConnection in pika's own loop: as asynchronous applications use pika, confirms by callback",
    open_port="bench.drivers.pika.select_lane:open_port",
)
BLOCKING = _pika(
    name="pika-blocking",
    description="pika.BlockingConnection, no TLS: as applications use pika; waits for each confirm, so its window is 1",
    open_port="bench.drivers.pika.blocking_lane:open_port",
)
