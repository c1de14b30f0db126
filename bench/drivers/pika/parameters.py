"""What pika is told to connect and to publish, whichever of its loops does so, and why it could not connect."""

import logging
from typing import Any

import pika
from pika.adapters.utils.connection_workflow import AMQPConnectionWorkflowFailed, AMQPConnectorPhaseErrorBase

from brokers.endpoint import Endpoint
from brokers.sasl import credentials


def parameters(endpoint: Endpoint, name: str) -> pika.ConnectionParameters:
    """Return what pika needs to open a connection; `name` is what a broker's tools show."""
    logging.getLogger("pika").setLevel(logging.CRITICAL)  # what it logs, it raises or calls back with as well
    return pika.ConnectionParameters(
        host=endpoint.host,
        port=endpoint.port,
        virtual_host=endpoint.virtual_host,
        credentials=credentials(endpoint.sasl, endpoint.username, endpoint.password),
        client_properties={"connection_name": name},
    )


def ask_for_confirms(connection: Any, endpoint: Endpoint) -> None:
    """Let pika ask for confirms where a broker has them and does not advertise them."""
    if endpoint.confirms_unadvertised:
        connection.server_capabilities |= {"publisher_confirms": True, "basic.nack": True}


def properties(*, durable: bool) -> pika.BasicProperties:
    """Return what pika sends with a message: its delivery mode, 2 for persistent (0-9-1, class basic)."""
    return pika.BasicProperties(delivery_mode=2 if durable else 1)


def innermost(error: Exception) -> Exception:
    """Return what the kernel or a library below said, out of what pika wraps it in."""
    while True:
        if isinstance(error, AMQPConnectionWorkflowFailed):
            error = error.exceptions[-1]
        elif isinstance(error, AMQPConnectorPhaseErrorBase):
            error = error.exception
        elif error.args and isinstance(error.args[0], Exception):
            error = error.args[0]
        else:
            return error
