"""Dead letters: whose they are, and that they hide no loss."""

from collections.abc import Iterator
from typing import cast
from unittest.mock import patch

import numpy as np

from bench.arrivals import stamp
from bench.record.ledger import Received, Sent, balance
from bench.run import dead_letters
from bench.run.dead_letters import by_reason, collect, ended, owed
from bench.scenario.scenario import Workload
from bench.topology.layout import Layout
from brokers.admin.base import TakenMessage
from brokers.base import Broker


def laid_out() -> Layout:
    """Return a fan-out to a queue that is consumed and one that is not, whose messages expire."""
    letters = {"x-message-ttl": 10, "x-dead-letter-exchange": "d"}
    fanout = [{"name": name, "type": "fanout"} for name in ("e", "d")]
    bindings = [{"exchange": "e", "queue": queue} for queue in ("a", "b")] + [{"exchange": "d", "queue": "dead"}]
    queues = [{"name": "a", "arguments": letters}, {"name": "b", "arguments": letters}, {"name": "dead"}]
    topology = {"exchanges": fanout, "queues": queues, "bindings": bindings}
    load = {"kind": "rate", "rate": 1}
    given = {"name": "w", "load": load, "exchange": "e", "keys": "k", "consume": "a", "topology": topology}
    return Workload.model_validate(given).laid_out("p", [], 1)


def test_what_died_in_a_queue_that_nobody_consumes_hides_no_loss() -> None:
    """Number 3 is missing in the queue that is consumed: only a dead letter of that queue explains it."""
    layout = laid_out()
    route = layout.flows[0]
    sent = Sent(np.array([0]), np.array([8]), np.array([[0xFF]], np.uint8), 0, 0, 8)
    received = Received(np.array([[0xF7]], np.uint8), 0, 0, 0, 0, 0)
    for queue, lost in (("p-b", 1), ("p-a", 0)):
        # A number that was never sent is a stranger's, and costs no memory.
        told = ended(route, by_reason([("expired", queue, 0, 3), ("expired", queue, 0, 1 << 60)]), 1, 8)
        ledger = balance([sent], [received], confirms=True, owed=owed(route, layout, 1), ended=told)
        assert (ledger.lost, sum(ledger.ended.values())) == (lost, 1 - lost)


def test_where_there_were_too_many_to_look_at_nothing_is_called_lost() -> None:
    """What is missing beyond them is put down to rules."""
    layout = laid_out()
    assert not layout.rules
    few, many = (by_reason(("maxlen", "p-a", 0, number) for number in range(count)) for count in (4, 5))
    with patch.object(dead_letters, "MOST", 5):
        assert not owed(layout.flows[0], layout, 1, few).rules
        assert owed(layout.flows[0], layout, 1, many).rules


class Holding:
    """A broker whose queue of dead letters holds one of each form of stamp."""

    def take(self, queue: str, most: int) -> Iterator[TakenMessage]:
        """Yield them."""
        del most
        full, compact = bytearray(stamp.SIZE), bytearray(stamp.COMPACT_SIZE)
        stamp.pack_into(full, 1, 7, 5, 6)
        stamp.pack_compact_into(compact, 2, 8, 5)
        yield TakenMessage(bytes(full), "expired", queue)
        yield TakenMessage(bytes(compact), "expired", queue)


def test_flows_may_have_stamps_of_both_forms() -> None:
    """In one queue of dead letters."""
    (letters,) = collect(cast("Broker", Holding()), laid_out(), compact=True)
    assert list(zip(letters.producer.tolist(), letters.seq.tolist(), strict=True)) == [(1, 7), (2, 8)]
