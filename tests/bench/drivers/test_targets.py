"""How messages are addressed over AMQP 1.0, on brokers of three kinds."""

from dataclasses import dataclass

import pytest

from bench.drivers.base import Refused
from bench.drivers.targets import Carried, targets
from brokers.endpoint import Destination, Endpoint, ExchangeAddresses

IN_TO = ExchangeAddresses("/exchanges/{exchange}", "/exchanges/{exchange}/{key}", "to", encoded=True)
IN_SUBJECT = ExchangeAddresses("{exchange}", "{exchange}/{key}", "subject")
RABBITMQ = Endpoint("amqp10", "h", 1, "/", None, "u", "p", address_prefix="/queues/", exchanges=IN_TO)
BROKER_J = Endpoint("amqp10", "h", 1, "/", None, "u", "p", exchanges=IN_SUBJECT)


def test_one_key_is_part_of_the_target() -> None:
    """Messages carry nothing."""
    assert targets("ev", ["a/b"], RABBITMQ) == ("/exchanges/ev/a%2Fb", ())
    assert targets("", ["q"], RABBITMQ) == ("/queues/q", ())


def test_of_several_keys_each_message_names_its_address() -> None:
    """The link has none."""
    carried = (Carried(to="/exchanges/ev/a"), Carried(to="/exchanges/ev/b"))
    assert targets("ev", ["a", "b"], RABBITMQ) == (None, carried)


def test_keys_may_be_subjects() -> None:
    """The link's target is the exchange; one key is part of it."""
    assert targets("ev", ["a"], BROKER_J) == ("ev/a", ())
    assert targets("ev", ["a", "b"], BROKER_J) == ("ev", (Carried(subject="a"), Carried(subject="b")))


@dataclass(frozen=True)
class Strict(Endpoint):
    """A broker that knows no anonymous terminus."""

    def destination(self, exchange: str, key: str, *, several: bool = False) -> Destination:  # noqa: ARG002
        """Return an address that is the link's alone."""
        return Destination(f"{exchange}/{key}", "address")


def test_a_broker_of_one_key_a_link_is_refused_several() -> None:
    """It says what to do."""
    strict = Strict("amqp10", "h", 1, "/", None, "u", "p")
    assert targets("ev", ["a"], strict) == ("ev/a", ())
    with pytest.raises(Refused, match=r"one routing key a link over AMQP 1.0, not 2: let each producer have one key"):
        targets("ev", ["a", "b"], strict)
