"""Columns of the ledger: no message is owed to two queues of one, and there are few."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bench.arrivals.keys import keys_of
from bench.scenario.scenario import Workload
from bench.topology.layout import FlowRoute

LOAD = {"kind": "rate", "rate": 100}
types = st.sampled_from(["direct", "topic", "fanout"])
key = st.lists(st.sampled_from(["a", "b", "*", "#"]), min_size=1, max_size=3).map(".".join)


def route_of(workload: dict[str, object]) -> FlowRoute:
    """Return the route of a workload's one flow."""
    work = Workload.model_validate({"name": "w", "load": LOAD, **workload})
    return work.laid_out("p", [f"q-{n}" for n in range(work.plain_queues)], 1).flows[0]


@given(types, st.lists(st.tuples(st.integers(0, 5), key), min_size=1, max_size=12))
def test_no_message_is_owed_to_two_queues_of_a_column(kind: str, bound: list[tuple[int, str]]) -> None:
    """Any bindings of six queues; every copy that is owed is in a column."""
    texts = [f"{one}.{other}" for one in "ab" for other in "ab"] + ["a", "b"]
    # So that some key is bound.
    bindings = [{"exchange": "e", "queue": f"q{n}", "key": text} for n, text in [*bound, (0, "a")]]
    route = route_of(
        {
            "exchange": "e", "keys": texts, "consumers": 6,
            "topology": {
                "exchanges": [{"name": "e", "type": kind}],
                "queues": [{"name": f"q{n}"} for n in range(6)],
                "bindings": bindings,
            },
        }
    )  # fmt: skip
    for owed in route.owed:
        assert len({route.columns[queue] for queue in owed}) == len(owed)
    by_column = route.owed_by_column()
    assert by_column.sum(axis=0).tolist() == [len(owed) for owed in route.owed]
    assert all(column.any() for column in by_column)


def test_queues_that_share_no_message_share_a_column() -> None:
    """A thousand queues of one key each need one; a fan-out needs one a subscriber."""
    assert route_of({"pattern": "topic", "queues": 1_000, "consumers": 1_000}).column_count == 1
    assert route_of({"pattern": "fanout", "queues": 7, "consumers": 7}).column_count == 7
    assert route_of({"queues": 4, "producers": 4, "consumers": 4}).column_count == 1


def test_without_a_prefix_names_are_those_of_the_scenario() -> None:
    """So that what a product says of them is found in the file."""
    given = {"name": "w", "load": LOAD, "keys": "q", "consume": "q", "topology": {"queues": [{"name": "q"}]}}
    work = Workload.model_validate(given)
    for prefix, name in (("", "q"), ("p", "p-q")):
        assert [one.name for one in work.laid_out(prefix, [], 1).declared.queues] == [name]


def test_keys_that_no_queue_is_bound_to_are_known() -> None:
    """Also where nobody consumes, so that no copy is owed of any message."""
    topology = {
        "exchanges": [{"name": "e", "type": "direct"}],
        "queues": [{"name": "q"}],
        "bindings": [{"exchange": "e", "queue": "q", "key": "a"}],
    }
    for consumers in (0, 1):
        route = route_of({"exchange": "e", "keys": ["b", "a", "c"], "consumers": consumers, "topology": topology})
        assert (route.nowhere, route.copies.tolist()) == ((0, 2), [0, consumers, 0])


@pytest.mark.parametrize("topology", [None, {"queues": [{"name": "q"}]}])
def test_messages_that_expire_make_a_rule_of_every_queue_they_are_in(topology: dict[str, object] | None) -> None:
    """So that nobody calls them lost; dead letters tell better, where there are some."""
    given = {"name": "w", "load": LOAD, "topology": topology} | ({"keys": "q", "consume": "q"} if topology else {})
    work = Workload.model_validate(given)
    assert work.laid_out("p", ["p-q"], 1).rules == ()
    expiring = Workload.model_validate(given | {"properties": {"expiration": 1_000}})
    assert expiring.laid_out("p", ["p-q"], 1).rules == ("p-q",)
    if topology is not None:
        letters = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"}
        queues = [{"name": "q", "arguments": letters}, {"name": "dead"}]
        told = Workload.model_validate(expiring.model_dump() | {"topology": {"queues": queues}})
        assert (told.laid_out("p", [], 1).rules, told.laid_out("p", [], 1).dead) == ((), ("p-dead",))


@pytest.mark.parametrize(
    ("arguments", "more", "why"),
    [
        ({}, {}, ""),
        ({"x-message-ttl": 1_000}, {}, "x-message-ttl"),
        ({}, {"properties": {"expiration": 1_000}}, "properties.expiration"),
        ({"x-max-length": 15}, {}, "x-max-length = 15"),
        ({"x-max-length": 16}, {}, ""),
        ({"x-max-length": 1, "x-overflow": "reject-publish"}, {}, ""),
        ({"x-max-length-bytes": 1_599}, {}, "x-max-length-bytes = 1599"),
        ({"x-max-length-bytes": 1_600}, {}, ""),
    ],
)
def test_a_closed_loop_is_given_no_queue_that_ends_messages(
    arguments: dict[str, object], more: dict[str, object], why: str
) -> None:
    """It would wait for them; what is beyond its own bound never comes to be, and what is refused is told."""
    given = {"name": "w", "keys": "q", "consume": "q", "topology": {"queues": [{"name": "q", "arguments": arguments}]}}
    Workload.model_validate(given | more | {"load": LOAD})
    closed = given | more | {"load": {"kind": "in_flight", "in_flight": [16]}}
    if not why:
        Workload.model_validate(closed)
        return
    with pytest.raises(ValueError, match="use kind 'rate'") as caught:
        Workload.model_validate(closed)
    assert why in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "binding", "more", "told"),
    [
        ("fanout", "", {}, True),
        ("topic", "k.#", {}, True),
        ("topic", "k.0", {}, False),
        ("direct", "k.0", {"x-dead-letter-routing-key": "k.0"}, True),
        ("direct", "k.0", {"x-dead-letter-routing-key": "other"}, False),
    ],
)
def test_dead_letters_tell_only_where_every_key_finds_a_queue(
    kind: str, binding: str, more: dict[str, object], *, told: bool
) -> None:
    """A letter that no binding takes is gone without a word: that is the rule's doing, and no loss."""
    arguments = {"x-message-ttl": 5, "x-dead-letter-exchange": "dlx"} | more
    work = Workload.model_validate(
        {
            "name": "w", "load": LOAD, "exchange": "e", "keys": ["k.0", "k.1"], "consume": "q",
            "topology": {
                "exchanges": [{"name": "e", "type": "fanout"}, {"name": "dlx", "type": kind}],
                "queues": [{"name": "q", "arguments": arguments}, {"name": "dead"}],
                "bindings": [{"exchange": "e", "queue": "q"}, {"exchange": "dlx", "queue": "dead", "key": binding}],
            },
        }
    )  # fmt: skip
    assert work.laid_out("p", [], 1).rules == (() if told else ("p-q",))


def test_copies_of_the_first_messages() -> None:
    """Counted by key where they differ."""
    bindings = [{"exchange": "e", "queue": queue, "key": "0"} for queue in ("a", "b")]
    route = route_of(
        {
            "exchange": "e", "keys": {"key": "{n}", "count": 3}, "consumers": 2,
            "topology": {
                "exchanges": [{"name": "e", "type": "direct"}],
                "queues": [{"name": "a"}, {"name": "b"}],
                "bindings": [*bindings, {"exchange": "e", "queue": "b", "key": "1"}],
            },
        }
    )  # fmt: skip

    def owed_by(producer: int, messages: int) -> int:
        return int(route.copies[keys_of(route.choosing, producer, 0, messages)].sum())

    assert [owed_by(0, messages) for messages in range(7)] == [0, 2, 3, 3, 5, 6, 6]
    assert [owed_by(1, messages) for messages in range(4)] == [0, 1, 1, 3]
    assert (route.uniform, route.mean_copies) == (None, 1.0)


def test_a_large_fan_out_is_laid_out_at_once() -> None:
    """Keys that have the same queues are looked at once: set by set of columns this took minutes."""
    route = route_of({"pattern": "fanout", "queues": 1_000, "consumers": 1_000, "keys": {"key": "{n}", "count": 200}})
    assert route.columns == tuple(range(1_000))
    assert route.owed_by_column().all()


def faults(given: dict[str, object]) -> str:
    """Return what is wrong with a workload."""
    with pytest.raises(ValidationError) as refused:
        Workload.model_validate({"name": "w", "load": LOAD, **given})
    return str(refused.value)


def test_two_things_of_one_name_on_the_broker_are_refused() -> None:
    """A flow's exchange and queues, and the numbers of queues, make names too."""
    topology = {
        "exchanges": [{"name": "w", "type": "direct"}],
        "queues": [{"name": "w-0"}, {"name": "q", "count": 2}, {"name": "q-1"}],
    }
    told = faults({"pattern": "topic", "topology": topology})
    assert "two queues would be called 'w-0'" in told
    assert "two queues would be called 'q-1'" in told
    assert "two exchanges would be called 'w'" in told


def test_consumers_of_queues_that_get_nothing_are_refused() -> None:
    """A queue that is named without keys that lead to it."""
    told = faults({"consumers": [{"queue": "q"}], "topology": {"queues": [{"name": "q"}]}})
    assert "get none of its messages" in told
