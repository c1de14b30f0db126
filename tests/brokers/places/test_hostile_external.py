"""An external broker that misbehaves is told in words, in bounded time, before anything is measured."""

import time
from pathlib import Path

import pytest

from brokers.base import BrokerError
from brokers.opening import open_broker
from brokers.plain_text import is_plain
from brokers.registry import products
from tests.bench.drivers.hostile.peer091 import Hostile091
from tests.bench.drivers.hostile.peer10 import Hostile10

slow = pytest.mark.soak


@pytest.mark.parametrize(
    ("kind", "mode", "words"),
    [
        ("amqp091", "http", r"does not speak AMQP 0-9-1: correct `external.port`.* it answered b'HTTP/1.1 400 Bad'"),
        ("amqp091", "other-version-hangs", r"does not speak AMQP 0-9-1: correct `external.port`.* b'AMQP\\x00\\x00"),
        ("amqp091", "huge-frame-flood", "it sent a frame larger than was agreed"),
        ("amqp091", "login-refused", r"refuses the user 'guest'.*ACCESS_REFUSED.*\\x1b\]0;owned"),
        pytest.param("amqp091", "leaves-at-header", "cannot be reached", marks=slow),
        pytest.param("amqp091", "silent", "takes connections but is silent", marks=slow),
        pytest.param("amqp091", "trickle", "takes connections but is silent", marks=slow),
        pytest.param("amqp091", "open-silent", "takes connections but is silent", marks=slow),
        ("amqp10", "http", r"does not speak AMQP 1.0: correct `external.port`.* it answered b'HTTP/1.1'"),
        ("amqp10", "amqp-0-9-1", r"does not speak AMQP 1.0: correct `external.port`.* b'AMQP\\x00\\x00\\t\\x01'"),
        ("amqp10", "huge-frame-flood", "it sent no frame of SASL"),
        ("amqp10", "open-refused", r"amqp:internal-error: \\x1b\]0;owned"),
        pytest.param("amqp10", "silent", "takes connections but is silent", marks=slow),
        pytest.param("amqp10", "trickle", "takes connections but is silent", marks=slow),
        pytest.param("amqp10", "open-silent", "takes connections but is silent", marks=slow),
        pytest.param("amqp10", "open-huge-frame", "cannot be read", marks=slow),
    ],
)
def test_what_it_does_is_said(kind: str, mode: str, words: str, tmp_path: Path) -> None:
    """On one line, escaped, and with what to do."""
    peer = Hostile091(mode) if kind == "amqp091" else Hostile10(mode)
    given = {
        "name": "b",
        "kind": kind,
        "place": "external",
        "external": {"host": "127.0.0.1", "port": peer.endpoint.port},
    }
    broker = open_broker(products().installed[kind].member.settings.model_validate(given), tmp_path, None, {})
    begun = time.monotonic()
    try:
        with pytest.raises(BrokerError, match=words) as caught:
            broker.start()
    finally:
        peer.stop()
    assert time.monotonic() - begun < 15
    assert is_plain(str(caught.value))
