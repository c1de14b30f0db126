"""What pika is told in order to connect, and what went wrong where it could not."""

import logging

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
