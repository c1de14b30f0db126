"""Admins of both protocols over TLS that does not come about."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from brokers.admin import handshake
from brokers.admin.amqp091 import Amqp091Admin
from brokers.admin.amqp10 import Amqp10Admin
from brokers.admin.base import Address, Admin, TlsRefusedError
from brokers.admin.handshake import answers
from tests.tls_server import tls_server


@pytest.mark.parametrize("admin", [Amqp091Admin, Amqp10Admin])
@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"ca_file": "/nowhere/ca.pem"}, r"CA certificates in /nowhere/ca\.pem .*No such file"),
        ({"server_name": "broker.example"}, r"its certificate does not pass: .*'broker\.example'.* \(checked against"),
        ({"ca_file": None}, r"its certificate does not pass: .*the system's CAs\)$"),
    ],
)
def test_tls_that_fails_is_told_apart(
    certified: Path,
    admin: Callable[[Address], Admin],
    changed: dict[str, Any],
    says: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """From a broker that is not there, with what is wrong in one line."""
    monkeypatch.setattr(handshake, "CONNECT_TIMEOUT_S", 0.5)  # the server takes one client
    with tls_server(certified) as server:
        at = server.endpoint
        assert at.tls is not None
        tls = dataclasses.replace(at.tls, **changed)
        with pytest.raises(TlsRefusedError, match=says) as caught:
            admin(Address(at.host, at.port, "/", "guest", "guest", tls)).open()
        assert "\n" not in str(caught.value)
        assert not answers("amqp10", Address(at.host, at.port, "/", "guest", "guest", tls))
