"""What pika is told to connect, whichever of its loops does so, and why it could not connect."""

import logging
import re
from collections.abc import Sequence
from typing import Any

import pika
from pika.adapters.utils.connection_workflow import AMQPConnectionWorkflowFailed, AMQPConnectorPhaseErrorBase
from pika.exceptions import ProbableAuthenticationError, StreamLostError

from bench.drivers.sockets.connection import SILENT_END
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


_EOF = "Transport indicated EOF"
_BROKE = re.compile(r"Stream connection lost: (\w+)(?:: |\()(.*?)\)?(?:[\"'],\))?$", re.DOTALL)
_SAID = re.compile(r"ConnectionClosedByBroker: \((\d+)\) (['\"])(.*)\2$", re.DOTALL)
"""pika's own words, in which it hides the errors that it wraps."""
_ALERT = re.compile(r"\[SSL: \w+_ALERT_")
_ERRNO = re.compile(r"\d+, '(.*)'")


def is_loss(error: Exception) -> bool:
    """Return whether the connection broke, and the broker did not say no; where it opens, pika guesses at a refusal.

    An alert of TLS is a no: in TLS 1.3 a broker finds only after the handshake that we showed no certificate.
    """
    return (isinstance(error, StreamLostError) or "StreamLostError" in str(error)) and not _ALERT.search(str(error))


def words(error: Exception, faults: Sequence[Exception] = ()) -> str:
    """Return what ended a connection: the broker's own code and text, where there are any.

    Args:
        error: pika's.
        faults: what the broker sent that it must not, where that is known.
    """
    code, text = getattr(error, "reply_code", None), getattr(error, "reply_text", "")
    if faults:
        return str(faults[0])
    if code:
        return f"{code} {text}"
    if _EOF in str(error):
        asked = isinstance(error, ProbableAuthenticationError)
        return f"{SILENT_END} as we logged in: are user name and password right?" if asked else SILENT_END
    if broke := _BROKE.search(str(error)):
        kernel = _ERRNO.fullmatch(broke[2])
        return kernel[1] if kernel else f"it sent what the library cannot take ({broke[1]}: {broke[2]})"
    if said := _SAID.search(str(error)):
        return f"{said[1]} {said[3]}"
    return f"{type(error).__name__}: {error}"


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
