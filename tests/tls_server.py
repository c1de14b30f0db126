"""A TLS server of one client for tests: it shakes hands in a thread, and the test does the rest."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

from brokers import certificates
from brokers.endpoint import Endpoint, Tls


class TlsServer:
    """Attributes: `endpoint` reaches it; `client()` is the connection once hands are shaken."""

    def __init__(self, folder: Path, *, asks: bool = False) -> None:
        """Listen with the certificates in `folder`; `asks` says whether the client must show one."""
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(folder / certificates.SERVER, folder / certificates.SERVER_KEY)
        self._context.load_verify_locations(folder / certificates.CA)
        self._context.verify_flags |= ssl.VERIFY_X509_STRICT
        self._context.verify_mode = ssl.CERT_REQUIRED if asks else ssl.CERT_NONE
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._client: ssl.SSLSocket | None = None
        port = self._listener.getsockname()[1]
        tls = Tls(str(folder / certificates.CA))
        self.endpoint = Endpoint("amqp091", "127.0.0.1", port, "/", None, "guest", "guest", tls=tls)
        self._thread = threading.Thread(target=self._shake)
        self._thread.start()

    def client(self) -> ssl.SSLSocket:
        """Return the connection, which blocks for at most 5 s at a time."""
        self._thread.join(5)
        assert self._client is not None, "no handshake was completed"
        return self._client

    def close(self) -> None:
        """Hang up."""
        if self._thread.is_alive():
            with contextlib.suppress(OSError):  # wakes the thread where no client ever came
                socket.create_connection(self._listener.getsockname(), 1).close()
        self._thread.join(5)
        self._listener.close()
        if self._client is not None:
            self._client.close()

    def _shake(self) -> None:
        connected, _ = self._listener.accept()
        connected.settimeout(5)
        try:
            self._client = self._context.wrap_socket(connected, server_side=True)
        except OSError:
            connected.close()


@contextlib.contextmanager
def tls_server(folder: Path, *, asks: bool = False) -> Iterator[TlsServer]:
    """Yield a server and hang up afterwards."""
    server = TlsServer(folder, asks=asks)
    try:
        yield server
    finally:
        server.close()
