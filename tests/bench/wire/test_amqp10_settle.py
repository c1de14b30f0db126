"""Credit that a receiver gives is taken as far as the link may use it, and what has dwindled is counted."""

import pytest
from proton import uint

from bench.wire import amqp10_layout as x
from bench.wire.amqp10_control import control_frame
from tests.bench.wire.amqp10_client import Client, template


def credit(count: int, given: int) -> bytes:
    """Return a flow frame that gives credit to the link with handle 0, from a peer that saw `count` messages."""
    session = (uint(0), uint(100_000), uint(0), uint(100))
    return control_frame(x.FLOW, *session, uint(0), uint(count), uint(given))


@pytest.mark.parametrize(("limit", "counted"), [(0, 1), (9, 0)])
def test_credit_for_one_message_is_counted(limit: int, counted: int) -> None:
    """Where messages are pre-settled, and only where it is one that is left of it."""
    client, made = Client(senders=1, limit=limit), template(32)
    client.ready(credit=3)
    client.feed(credit(0, 2))
    client.send(made, [0], [0])
    client.feed(credit(0, 2))
    client.feed(credit(0, 1))
    client.feed(credit(1, 5))
    assert client.tally[x.T_STARVED] == counted
    assert client.tally[x.T_FLOWS] == 4


def test_a_link_takes_no_more_credit_than_it_may_use() -> None:
    """Ten messages before it is attached anew: of later credit only what is left of them."""
    client, made = Client(senders=1, limit=0), template(32)
    client.ready(credit=0)
    client.lane(0)[x.L_LAST] = 10
    client.feed(credit(0, 6))
    assert client.room(made) == 6
    client.send(made, [0] * 6, list(range(6)))
    client.feed(credit(6, 1_000))
    assert client.room(made) == 4
    client.send(made, [0] * 4, list(range(6, 10)))
    client.feed(credit(10, 1_000))
    assert client.room(made) == 0
