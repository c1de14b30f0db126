"""Driver `proton`: AMQP 1.0 by Qpid Proton, the stock client, on its engine alone. What it says of itself.

The engine has neither socket nor loop, so both are ours; Proton's `Container`, which most
Python applications use, takes twice the processor time at 1,000 messages a second and
waits by the millisecond. One worker has one thread and one loop, each lane a connection,
a session and a link.
"""

from bench.drivers.description import Driver

DRIVER = Driver(
    name="proton",
    protocol="amqp10",
    description="Qpid Proton's engine without its event loop: what a Python application sees at best",
    open_port="bench.drivers.proton_lane:open_port",
    distribution="python-qpid-proton",
    mixes=True,
)
