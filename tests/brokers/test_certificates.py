"""Throw-away certificates: what they are good for."""

import socket
import ssl
import stat
from pathlib import Path

from brokers import certificates
from brokers.endpoint import Tls
from tests.tls_server import tls_server


def test_both_pass_the_strictest_check(certified: Path) -> None:
    """What Python asks for from 3.13 on: the server's for its names, the client's for it."""
    strict = ssl.create_default_context(cafile=str(certified / certificates.CA))
    strict.load_cert_chain(certified / certificates.CLIENT, certified / certificates.CLIENT_KEY)
    strict.verify_flags |= ssl.VERIFY_X509_STRICT
    with tls_server(certified, asks=True) as server:
        at = server.endpoint
        with (
            socket.create_connection((at.host, at.port), 5) as plain,
            strict.wrap_socket(plain, server_hostname="localhost"),
        ):
            assert server.client().getpeercert()


def test_keys_are_for_our_eyes(certified: Path) -> None:
    """Nobody else on the host may read them."""
    for file in (certificates.SERVER_KEY, certificates.CLIENT_KEY):
        assert stat.S_IMODE((certified / file).stat().st_mode) == 0o600


def test_a_client_shows_its_certificate_only_where_it_logs_in_by_it(tmp_path: Path) -> None:
    """With a password it is not asked for."""
    tls = tmp_path / "tls"
    assert certificates.towards(tmp_path, "plain") == Tls(f"{tls}/ca.pem")
    assert certificates.towards(tmp_path, "external") == Tls(
        f"{tls}/ca.pem", f"{tls}/client.pem", f"{tls}/client-key.pem"
    )
