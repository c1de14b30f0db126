"""Drivers by Qpid Proton, the stock client for AMQP 1.0: its engine alone, and Proton as applications use it.

`proton-engine`: the engine has neither socket nor loop, so both are ours, and unsettled
messages fill a window. That is the least that Proton can cost. `proton-blocking` is
`proton.utils.BlockingConnection` over Proton's `Container`: an application that sends by it
waits until each message is settled. It refuses no deliveries, as it cannot tell which come again.
"""

from dataclasses import replace
from functools import partial

from bench.drivers.description import Driver

_proton = partial(
    Driver,
    protocol="amqp10",
    distribution="python-qpid-proton",
    warm="bench.drivers.message_keys:warm",
    mixes=True,
)

ENGINE = _proton(
    name="proton-engine",
    description="Qpid Proton's engine in our own loop: the least that Proton costs, less than an application pays",
    open_port="bench.drivers.proton.engine_lane:open_port",
    holds=True,
    shapes=("route", "properties", "body", "compact", "consuming"),
)
FORMER_ENGINE = replace(ENGINE, name="proton", now="proton-engine")
"""What results and scenarios of earlier versions call it."""
BLOCKING = _proton(
    name="proton-blocking",
    description="Proton's BlockingConnection, no TLS: as applications use it; waits for each confirm, its window is 1",
    open_port="bench.drivers.proton.blocking_lane:open_port",
    shapes=("route", "properties", "body", "compact"),
)
