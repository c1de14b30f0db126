"""TLS towards a broker, for drivers and for the control connection: from settings to a handshake.

The one place that reads certificates for a client and puts OpenSSL's faults into words.
"""

import socket
import ssl
from functools import lru_cache
from pathlib import Path

from brokers.endpoint import Tls


class TlsError(OSError):
    """TLS with the broker failed: its certificate, ours, or an alert; the message says which and why."""


def shake_hands(connected: socket.socket, tls: Tls, host: str) -> ssl.SSLSocket:
    """Return the connection with TLS on it; blocks for as long as the socket's timeout lets it.

    Closes the socket where it fails.

    Raises:
        TlsError: certificate files cannot be read, or the handshake failed.
    """
    name = tls.server_name or host
    try:
        return context(tls).wrap_socket(connected, server_hostname=name)
    except OSError as error:
        connected.close()
        if isinstance(error, TlsError):
            raise
        raise TlsError(failure(error, tls)) from error


def context(tls: Tls) -> ssl.SSLContext:
    """Return OpenSSL's settings; they are read anew where a file has changed.

    Raises:
        TlsError: a file cannot be read, or is no certificate or key.
    """
    return _context(tls, tuple(_changed(path) for path in (tls.ca_file, tls.cert_file, tls.key_file)))


def failure(error: OSError, tls: Tls) -> str:
    """Return why a handshake failed."""
    if isinstance(error, ssl.SSLCertVerificationError):
        authorities = f"the CA in {tls.ca_file}" if tls.ca_file else "the system's CAs"
        return f"its certificate does not pass: {words(error)} (checked against {authorities})"
    if isinstance(error, ssl.SSLError) and error.reason in {"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"}:
        return "it does not speak TLS at this port"
    if isinstance(error, TimeoutError):
        return "it did not answer the TLS handshake: does it speak TLS at this port?"
    if isinstance(error, (ssl.SSLEOFError, ConnectionError)):
        return "it closed the connection during the TLS handshake: does it speak TLS at this port?"
    return f"the TLS handshake failed: {words(error)}"


def words(error: OSError) -> str:
    """Return what went wrong on a connection, without error numbers and OpenSSL's own file and line."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    if isinstance(error, ssl.SSLError) and error.reason:
        return f"TLS: {error.reason.lower().replace('_', ' ')}"
    return error.strerror or str(error)


@lru_cache(maxsize=8)
def _context(tls: Tls, _changed: tuple[int, ...]) -> ssl.SSLContext:
    """Reading the system's authorities takes 20 ms, too long for each of a thousand connections."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    # Renegotiation would let a write wait for a read; no broker needs it.
    made.options |= ssl.OP_NO_RENEGOTIATION
    if not tls.verify:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    elif tls.ca_file is None:
        made.load_default_certs()
    else:
        try:
            made.load_verify_locations(tls.ca_file)
        except OSError as error:
            message = f"the CA certificates in {tls.ca_file} cannot be used: {words(error)}"
            raise TlsError(message) from error
    if tls.cert_file is not None:
        try:
            # A password is never asked for: nobody may be there to type it.
            made.load_cert_chain(tls.cert_file, tls.key_file, password="")
        except OSError as error:
            files = f"{tls.cert_file} with its key in {tls.key_file or 'the same file'}"
            message = f"the client certificate {files} cannot be used: {words(error)}"
            raise TlsError(message) from error
    return made


def _changed(path: str | None) -> int:
    try:
        return 0 if path is None else Path(path).stat().st_mtime_ns
    except OSError:
        return 0
