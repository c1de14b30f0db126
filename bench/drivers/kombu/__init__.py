"""Driver `kombu`: AMQP 0-9-1 by kombu, through which oslo.messaging and Celery speak. What it says of itself.

Needs the extra `kombu`. Its lanes are in `lane`; docs/drivers.md shows them
as the example of a driver.
"""

from bench.drivers.description import Driver

DRIVER = Driver(
    name="kombu",
    protocol="amqp091",
    description="kombu over py-amqp, no TLS; waits for each confirm (confirm_publish), so its window is 1",
    open_port="bench.drivers.kombu.lane:open_port",
    warm="bench.drivers.message_keys:warm",
    distribution="kombu",
    install="kombu>=5.5",
    mixes=True,
    holds=True,
    shapes=("route", "properties", "body", "compact", "consuming"),
)
