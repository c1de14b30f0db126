"""Where the messages of a sender over Proton go."""

import pytest

from bench.arrivals.keys import Int64, by_producer, in_turn
from bench.drivers.base import PortSpec, ProducerLane, Route
from bench.drivers.proton.addressing import Addressing
from bench.drivers.targets import Carried
from brokers.endpoint import Endpoint, ExchangeAddresses

EXCHANGES = ExchangeAddresses("/exchanges/{exchange}", "/exchanges/{exchange}/{key}", "to", encoded=True)
AT = Endpoint(
    "amqp10",
    "h",
    1,
    "/",
    None,
    "u",
    "p",
    address_prefix="/queues/",
    exchanges=EXCHANGES,
)
LANE = ProducerLane(4, "q 1")


def addressing(route: Route | None) -> Addressing:
    """Return that of producer 4."""
    return Addressing(PortSpec(AT, (LANE,), (), 40, route=route), AT, LANE)


def test_without_a_route_the_target_is_the_queue() -> None:
    """Messages carry nothing."""
    made = addressing(None)
    assert (made.target, made.carried) == ("/queues/q%201", {"q 1": Carried()})


@pytest.mark.parametrize(
    ("choice", "target", "carried"),
    [
        (by_producer(2), "/exchanges/ev/a", {"a": Carried()}),
        (in_turn(2), None, {"a": Carried(to="/exchanges/ev/a"), "b": Carried(to="/exchanges/ev/b")}),
    ],
)
def test_a_producer_of_one_key_attaches_to_it(choice: Int64, target: str | None, carried: dict[str, Carried]) -> None:
    """One of several keys names them message by message."""
    made = addressing(Route("ev", ("a", "b"), choice))
    assert (made.target, made.carried) == (target, carried)
