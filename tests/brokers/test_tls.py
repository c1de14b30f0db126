"""Handshakes: what passes, and what is said of a wrong authority, name, file or port."""

import shutil
import socket
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from brokers import certificates
from brokers.endpoint import Tls
from brokers.tls import TlsError, context, shake_hands
from tests.tls_server import TlsServer, tls_server


def files(folder: Path) -> Tls:
    """Return the client's end, certificate included."""
    return Tls(*(str(folder / file) for file in (certificates.CA, certificates.CLIENT, certificates.CLIENT_KEY)))


def shake(server: TlsServer, tls: Tls) -> str | None:
    """Shake hands with a server and return the protocol's version."""
    at = server.endpoint
    with shake_hands(socket.create_connection((at.host, at.port), 5), tls, at.host) as secure:
        return secure.version()


@pytest.mark.parametrize(
    "changed",
    [{}, {"server_name": "localhost"}, {"verify": False, "ca_file": None, "server_name": "broker.example"}],
    ids=["address", "name", "unchecked"],
)
def test_a_good_certificate_passes_and_any_where_none_is_checked(certified: Path, changed: dict[str, Any]) -> None:
    """By address as by name; `verify` off also takes one of an unknown authority for another host."""
    with tls_server(certified) as server:
        assert shake(server, replace(files(certified), **changed)) == "TLSv1.3"


def test_our_certificate_is_shown_where_asked(certified: Path) -> None:
    """And the server sees whose it is."""
    with tls_server(certified, asks=True) as server:
        shake(server, files(certified))
        peer = server.client().getpeercert()
        assert peer is not None
        assert (("commonName", certificates.CLIENT_NAME),) in peer["subject"]


def test_an_unknown_authority_is_named_with_the_file(certified: Path, tmp_path: Path) -> None:
    """So that one sees against what it was checked; without a file it is the system's."""
    certificates.make(tmp_path)
    foreign = str(tmp_path / certificates.CA)
    with (
        tls_server(certified) as server,
        pytest.raises(TlsError, match=rf"^its certificate does not pass: .+ \(checked against the CA in {foreign}\)$"),
    ):
        shake(server, Tls(foreign))
    with tls_server(certified) as server, pytest.raises(TlsError, match=r"\(checked against the system's CAs\)$"):
        shake(server, Tls(None))


def test_a_wrong_host_name_is_named(certified: Path) -> None:
    """The one that was wanted."""
    with tls_server(certified) as server, pytest.raises(TlsError, match=r"not valid for 'broker\.example'"):
        shake(server, replace(files(certified), server_name="broker.example"))


@pytest.mark.parametrize(
    ("answer", "says"),
    [(b"AMQP\x00\x00\x09\x01", "does not speak TLS at this port"), (b"", "closed the connection during the TLS")],
)
def test_a_server_without_tls_is_told(certified: Path, answer: bytes, says: str) -> None:
    """Whether it answers something else or hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            client, _ = server.accept()
            with client:
                client.recv(4_096)
                client.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(TlsError, match=says):
            shake_hands(socket.create_connection(server.getsockname(), 5), files(certified), "127.0.0.1")
        thread.join(5)


def test_a_silent_server_is_given_up(certified: Path) -> None:
    """After the socket's own timeout; the socket is closed."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        connected = socket.create_connection(server.getsockname(), 0.1)
        with pytest.raises(TlsError, match="did not answer the TLS handshake"):
            shake_hands(connected, files(certified), "127.0.0.1")
        assert connected.fileno() == -1


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda tls: replace(tls, ca_file="/nowhere/ca.pem"), "CA certificates in /nowhere/ca.pem .*No such file"),
        (lambda tls: replace(tls, ca_file=tls.key_file), "CA certificates in .*client-key.pem cannot be used"),
        (lambda tls: replace(tls, key_file=None), "client.pem with its key in the same file cannot be used"),
        (lambda tls: replace(tls, cert_file="/nowhere/c.pem"), "client certificate /nowhere/c.pem .*No such file"),
        (lambda tls: replace(tls, key_file=tls.ca_file), "client certificate .*client.pem .*cannot be used"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(certified: Path, wrong: Callable[[Tls], Tls], says: str) -> None:
    """Before anything is connected."""
    with pytest.raises(TlsError, match=says):
        context(wrong(files(certified)))


def test_files_are_read_again_only_where_they_changed(certified: Path, tmp_path: Path) -> None:
    """A thousand connections read them once; the next broker's new ones are not missed."""
    copied = tmp_path / "ca.pem"
    shutil.copy(certified / certificates.CA, copied)
    tls = Tls(str(copied))
    first = context(tls)
    assert context(tls) is first
    certificates.make(tmp_path)
    assert context(tls) is not first
