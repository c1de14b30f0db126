"""Where messages of an exchange go over AMQP 1.0, by what is data of each product's endpoint."""

import pytest

from brokers.endpoint import Destination, Endpoint

AT = {
    "protocol": "amqp10",
    "host": "h",
    "port": 1,
    "virtual_host": "/",
    "hostname": None,
    "username": "",
    "password": "",
}
PREFIXES = {"address_prefix": "/queues/", "exchange_prefix": "/exchanges/"}


@pytest.mark.parametrize(
    ("more", "exchange", "key", "expected"),
    [
        (PREFIXES, "x y", "a/b", ("/exchanges/x%20y/a%2Fb", "address", "/exchanges/x%20y/a%2Fb")),
        (PREFIXES, "fan", "", ("/exchanges/fan", "address", "/exchanges/fan")),
        (PREFIXES, "", "q 1", ("/queues/q%201", "address", "/queues/q%201")),
        ({"key_in_subject": True}, "topic", "a.b", ("topic", "subject", None)),
        ({"key_in_subject": True}, "", "q", ("q", "address", "q")),
        ({}, "", "q", ("q", "address", "q")),
        ({}, "ignored", "q", ("q", "address", "q")),
    ],
)
def test_destinations(more: dict[str, object], exchange: str, key: str, expected: tuple[str, str, str | None]) -> None:
    """Percent-encoded behind a prefix; the default exchange is a queue; without exchanges a key is an address."""
    assert Endpoint(**(AT | more)).destination(exchange, key) == Destination(*expected)  # type: ignore[arg-type]
