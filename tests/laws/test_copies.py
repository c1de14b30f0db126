"""Copies of messages on the scripted broker: who gets which, how late the last is, and what a closed loop awaits."""

from collections import Counter
from itertools import accumulate
from unittest.mock import patch

import numpy as np
import pytest

from bench.arrivals.sizes import hash_of
from bench.drivers.base import Outcome
from bench.results.records import TrialOutcome
from bench.topology import layout
from bench.topology.completion import Completion
from bench.topology.layout import FlowRoute
from bench.units import NS_PER_S
from tests.laws.inline import Played, adds_up, equal, play, served

pytestmark = pytest.mark.compiled

FANOUT = {"pattern": "fanout", "load": {"kind": "rate", "rate": 300, "arrivals": "poisson"}, "duration": "2s"}


def ten_keys(bound: int, **keys: object) -> dict[str, object]:
    """Return a workload of ten keys, of which the first are bound, each to a queue of its own."""
    return {
        "exchange": "events",
        "keys": {"key": "k.{n}", "count": 10, **keys},
        "topology": {
            "exchanges": [{"name": "events", "type": "topic"}],
            "queues": [{"name": "q", "count": bound}],
            "bindings": [{"exchange": "events", "queue": "q", "key": "k.{n}.#"}],
        },
        "consumers": bound,
        "load": {"kind": "rate", "rate": 1_000},
        "duration": "2s",
    }


@pytest.mark.parametrize("subscribers", [1, 2, 7])
@pytest.mark.parametrize("window", [3, 256])
def test_each_subscriber_gets_all_and_the_last_copy_is_the_latest(subscribers: int, window: int) -> None:
    """Copies are served one after the other: every response, and that of each message's last copy, is the walk's."""
    given = FANOUT | {"queues": subscribers, "consumers": subscribers, "confirm_window": window}
    played = play(given, {"capacity": 400 * subscribers})
    messages, ledger = len(played.due), played.ledger
    assert Counter(Counter(seq for _, _, seq, *_ in played.rows).values()) == {subscribers: messages}
    assert Counter(lane for lane, *_ in played.rows) == dict.fromkeys(range(subscribers), messages)
    assert (ledger.owed, ledger.received, ledger.lost) == (subscribers * messages, subscribers * messages, 0)
    assert (ledger.duplicated, ledger.reordered) == (0, 0)
    assert adds_up(ledger)
    arrivals = np.repeat(played.due, subscribers)
    responses = served(arrivals, round(NS_PER_S / (400 * subscribers))) - arrivals
    latencies = played.merged.latencies
    assert equal(latencies["response"], responses)
    last = responses.reshape(messages, subscribers).max(axis=1)
    assert equal(latencies["confirm"], last)
    if subscribers > 1:
        assert equal(latencies["last"], last)
    assert played.trial.control.drained
    assert played.merged.little is not None
    assert played.merged.little.holds


@pytest.mark.parametrize("lost", [(5,), (0, 1, 2), (10, 11, 17, 900)])
def test_of_copies_that_are_dropped_exactly_these_are_lost(lost: tuple[int, ...]) -> None:
    """The script counts copies: all three of a message, or one of several."""
    played = play(FANOUT | {"queues": 3, "consumers": 3}, {"lose": lost})
    assert (played.ledger.lost, played.ledger.received) == (len(lost), 3 * len(played.due) - len(lost))
    assert adds_up(played.ledger)


ORDERS: dict[str, tuple[float, ...]] = {
    "round-robin": (),
    "weights": tuple(float(n) for n in range(1, 11)),
    "zipf": tuple(n**-1.5 for n in range(1, 11)),
}


def keys_one_by_one(order: str, count: int) -> list[int]:
    """Return the keys of producer 0 with seed 7: in turn, or by the cumulated shares of 2³²."""
    bounds = [round(part / sum(ORDERS[order]) * 2**32) for part in accumulate(ORDERS[order])]
    return [
        next(key for key, bound in enumerate(bounds) if hash_of(7, 0, seq) < bound) if bounds else seq % 10
        for seq in range(count)
    ]


@pytest.mark.parametrize("order", list(ORDERS))
@pytest.mark.parametrize("bound", [10, 9])
def test_each_queue_gets_the_messages_of_its_keys(bound: int, order: str) -> None:
    """By whatever order of keys; what has no binding is returned, owed to nobody, and nothing is lost."""
    more = {"round-robin": {}, "weights": {"weights": ORDERS["weights"]}, "zipf": {"exponent": 1.5}}[order]
    played = play(ten_keys(bound, order=order, **more))
    wanted = keys_one_by_one(order, len(played.due))
    got: dict[int, list[int]] = {}
    for lane, _, seq, *_ in sorted(played.rows, key=lambda row: row[2]):
        got.setdefault(lane, []).append(seq)
    assert got == {key: seqs for key in range(bound) if (seqs := [s for s, k in enumerate(wanted) if k == key])}
    returned = [seq for seq, outcome, _ in played.settled if outcome == Outcome.RETURNED]
    assert returned == [seq for seq, key in enumerate(wanted) if key >= bound]
    ledger = played.ledger
    assert (ledger.returned, ledger.lost, ledger.stray) == (len(returned), 0, 0)
    assert ledger.owed == ledger.received == ledger.confirmed == len(wanted) - len(returned)
    assert adds_up(ledger)
    assert played.trial.control.drained
    assert played.merged.little is not None
    assert played.merged.little.holds
    if order == "round-robin":
        assert ledger.returned == (len(wanted) // 10 if bound == 9 else 0)


CLOSED = {
    "uniform": FANOUT | {"queues": 3, "consumers": 3},
    # Copies of a key: 3, 2, 1, 0; few messages have many.
    "by key": {
        "exchange": "events",
        "keys": {"key": "{n}", "count": 4, "order": "weights", "weights": [1, 1, 8, 2]},
        "topology": {
            "exchanges": [{"name": "events", "type": "direct"}],
            "queues": [{"name": name} for name in ("a", "b", "c")],
            "bindings": [
                {"exchange": "events", "queue": queue, "key": key} for queue, key in
                [("a", "0"), ("b", "0"), ("c", "0"), ("a", "1"), ("b", "1"), ("a", "2")]
            ],
        },
        "consumers": 3,
        "duration": "2s",
    },
}  # fmt: skip


def most_outstanding(played: Played) -> int:
    """Return the most messages at once of which a copy was awaited."""
    copies = Counter(seq for _, _, seq, *_ in played.rows)
    last = {seq: received for _, _, seq, received, _ in played.rows}
    sent = [(at, 1) for _, seq, at in played.sends if copies[seq]]
    done = [(at, -1) for at in last.values()]
    # What came at an instant gives its place to what is sent then.
    return max(accumulate(step for _, step in sorted(sent + done)))


@pytest.mark.parametrize("in_flight", [1, 4, 50])
@pytest.mark.parametrize("shape", list(CLOSED))
def test_a_closed_loop_awaits_no_more_messages_than_it_may(shape: str, in_flight: int) -> None:
    """However many copies a message has: all places are used, and none is gained or lost over thousands of messages."""
    load = {"kind": "in_flight", "in_flight": [in_flight]}
    played = play(CLOSED[shape] | {"load": load}, {"capacity": 3_000})
    # One that is owed to nobody takes a place until those before it are complete.
    assert (in_flight if shape == "uniform" else 0.9 * in_flight) <= most_outstanding(played) <= in_flight
    ledger = played.ledger
    assert played.trial.control.outcome is TrialOutcome.COMPLETED
    assert played.trial.control.drained
    # The server is never idle: it serves a copy each third of a millisecond.
    assert ledger.received == pytest.approx(6_000, abs=4 * in_flight)
    assert (ledger.lost, ledger.refused) == (0, 0)
    assert (ledger.returned > 0) == (shape == "by key")
    assert adds_up(ledger)
    assert played.merged.little is not None
    assert played.merged.little.holds


def test_tokens_by_the_mean_of_copies_overrun_or_starve() -> None:
    """A mutant that divides copies by their mean breaks the law above: its places are a random walk."""

    def by_mean(self: Completion, received: int, gone: int, sent: int, owed: int) -> int:
        del self, sent, owed
        return int(received / (13 / 12)) + gone

    with patch.object(Completion, "messages", by_mean):
        played = play(CLOSED["by key"] | {"load": {"kind": "in_flight", "in_flight": [4]}}, {"capacity": 3_000})
    assert most_outstanding(played) > 4 or played.trial.control.outcome is not TrialOutcome.COMPLETED


def test_a_ledger_that_ignores_columns_breaks_the_law() -> None:
    """A mutant with one column for all queues takes the second copy of a message for a duplicate."""
    given = FANOUT | {"queues": 3, "consumers": 3}
    assert adds_up(play(given).ledger)
    with patch.object(layout, "_columns", lambda _, queues: (0,) * queues):
        ledger = play(given).ledger
    assert (ledger.owed, ledger.duplicated > 0) != (3 * ledger.sent, False)


def test_a_ledger_that_ignores_keys_breaks_the_law() -> None:
    """A mutant that owes every message to every column awaits what has no binding."""
    with patch.object(FlowRoute, "owed_by_column", lambda self: np.ones((self.column_count, len(self.keys)), np.int64)):
        ledger = play(ten_keys(9, order="round-robin")).ledger
    assert ledger.owed != ledger.received


def test_what_one_queue_refuses_and_another_delivers_breaks_no_law() -> None:
    """As RabbitMQ has it: the message is refused, copies come all the same, and Little's law is not asked."""
    queues = [{"name": "a", "arguments": {"x-max-length": 3, "x-overflow": "reject-publish"}}, {"name": "b"}]
    played = play(
        {
            "load": {"kind": "rate", "rate": 1_500}, "duration": "2s", "exchange": "e", "keys": "k", "consumers": 2,
            "consumer_rate": 1_000, "prefetch": 1, "ack_batch": 1,
            "topology": {
                "exchanges": [{"name": "e", "type": "fanout"}], "queues": queues,
                "bindings": [{"exchange": "e", "queue": one} for one in "ab"],
            },
        },
        {"capacity": 100_000},
    )  # fmt: skip
    ledger = played.ledger
    assert ledger.refused > 0
    assert (ledger.received, ledger.lost, ledger.undelivered) == (2 * ledger.sent - ledger.refused, 0, 0)
    assert played.merged.little is None
