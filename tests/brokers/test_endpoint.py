"""Where messages of an exchange go over AMQP 1.0, by what is data of each product's endpoint."""

import pytest

from brokers.endpoint import Destination, Endpoint, ExchangeAddresses

AT = {
    "protocol": "amqp10",
    "host": "h",
    "port": 1,
    "virtual_host": "/",
    "hostname": None,
    "username": "",
    "password": "",
    "address_prefix": "/queues/",
}
IN_TO = ExchangeAddresses("/exchanges/{exchange}", "/exchanges/{exchange}/{key}", "to", encoded=True)
IN_SUBJECT = ExchangeAddresses("{exchange}", "{exchange}/{key}", "subject")


@pytest.mark.parametrize(
    ("exchanges", "names", "several", "expected"),
    [
        (IN_TO, ("x y", "a/b"), False, Destination("/exchanges/x%20y/a%2Fb", "address")),
        (IN_TO, ("x", "a.b"), True, Destination(None, "to", "/exchanges/x/a.b")),
        (IN_TO, ("fan", ""), False, Destination("/exchanges/fan", "address")),
        (IN_TO, ("", "q 1"), False, Destination("/queues/q%201", "address")),
        (IN_TO, ("", "q 1"), True, Destination(None, "to", "/queues/q%201")),
        (IN_SUBJECT, ("topic", "a.b"), True, Destination("topic", "subject")),
        (IN_SUBJECT, ("topic", "a.b"), False, Destination("topic/a.b", "address")),
    ],
)
def test_destinations(
    exchanges: ExchangeAddresses,
    names: tuple[str, str],
    several: bool,  # noqa: FBT001
    expected: Destination,
) -> None:
    """Percent-encoded behind a prefix; the default exchange is a queue; several keys are told by each message."""
    assert Endpoint(**AT, exchanges=exchanges).destination(*names, several=several) == expected  # type: ignore[arg-type]


def test_what_has_no_exchanges_has_no_destination() -> None:
    """But for queues."""
    with pytest.raises(ValueError, match=r"exchange 'x' has no address over AMQP 1\.0"):
        Endpoint(**AT).destination("x", "key")  # type: ignore[arg-type]
