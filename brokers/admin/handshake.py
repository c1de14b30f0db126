"""A connection to a broker's port, and what is spoken there. Needs no client library."""

import contextlib
import socket
import ssl
import time

from brokers import tls
from brokers.admin.base import Address, AdminError, TlsRefusedError, UnreachableError
from brokers.endpoint import Protocol

CONNECT_TIMEOUT_S = 5.0
SASL_HEADER = b"AMQP\x03\x01\x00\x00"
"""Protocol id 3, version 1.0.0 (AMQP 1.0 part 5, section 5.3.2)."""
HEADER_091 = b"AMQP\x00\x00\x09\x01"
_HEARD = 16
"""Octets of an answer that are looked at, and quoted."""
_STRANGER_S = 2.0
START_091 = b"\x01\x00\x00"
"""Type and channel of a frame with a method of the connection."""


def connected(address: Address) -> socket.socket:
    """Return a socket with TLS on it where the address has it.

    Raises:
        UnreachableError, TlsRefusedError: each says why.
    """
    try:
        plain = socket.create_connection((address.host, address.port), CONNECT_TIMEOUT_S)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return plain if address.tls is None else tls.shake_hands(plain, address.tls, address.host)
    except tls.TlsError as error:
        raise TlsRefusedError(str(error)) from error
    except OSError as error:
        raise UnreachableError(tls.words(error)) from error


def speaks_tls(address: Address) -> bool:
    """Return whether a port answers a TLS handshake, whatever certificates it shows or wants."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # nothing is said there but that we are here
    try:
        plain = socket.create_connection((address.host, address.port), CONNECT_TIMEOUT_S)
    except OSError:
        return False
    with plain:
        try:
            context.wrap_socket(plain).close()
        except ssl.SSLError as error:
            return "ALERT" in (error.reason or "")  # it refuses us, in TLS
        except OSError:
            return False
    return True


def heard(protocol: Protocol, address: Address, within_s: float | None = None) -> bytes:
    """Return the first octets that a port answers to the header of a protocol; none where it keeps silent.

    Args:
        protocol: AMQP 1.0 is begun by the header of SASL.
        address: of the port.
        within_s: patience with all of them, as they may come one by one; by default that of a connection.
    """
    answer, until = b"", time.monotonic() + (CONNECT_TIMEOUT_S if within_s is None else within_s)
    with contextlib.suppress(OSError, AdminError), connected(address) as connection:
        connection.sendall(SASL_HEADER if protocol == "amqp10" else HEADER_091)
        while len(answer) < _HEARD and (left_s := until - time.monotonic()) > 0:
            connection.settimeout(left_s)
            more = connection.recv(_HEARD - len(answer))
            answer += more
            if not more or not _greets(protocol, answer) or len(answer) >= len(SASL_HEADER):
                break
    return answer


def stranger(protocol: Protocol, address: Address) -> str:
    """Return what a port answers that does not speak a protocol, in words; nothing where it does, or keeps silent."""
    answer = heard(protocol, address, _STRANGER_S)
    if not answer or _greets(protocol, answer):
        return ""
    version = "another version of AMQP" if answer.startswith(b"AMQP") else "something else"
    return f"{version} is spoken there: it answered {answer!r}"


def _greets(protocol: Protocol, answer: bytes) -> bool:
    wanted = SASL_HEADER if protocol == "amqp10" else START_091
    return wanted.startswith(answer[: len(wanted)])


def answers(protocol: Protocol, address: Address) -> bool:
    """Return whether a port speaks a protocol.

    AMQP 1.0 answers the SASL header with the same; 0-9-1 its protocol header with connection.start,
    the first method frame of channel 0 (section 4.2.2), and any other with a header of its own.
    """
    wanted = SASL_HEADER if protocol == "amqp10" else START_091
    return heard(protocol, address)[: len(wanted)] == wanted
