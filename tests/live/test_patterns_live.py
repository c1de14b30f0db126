"""Whole trials of every pattern on real brokers: a scenario without faults, a trial, and a ledger that is exact."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from bench.drivers.registry import registry
from bench.results.records import Ledger, TrialOutcome, TrialRecord
from bench.run.precompile import warm_up
from bench.scenario.checks import inconsistencies
from bench.scenario.scenario import Scenario
from brokers.base import Broker
from tests.live.test_trial_live import trial

Protocol = Literal["amqp091", "amqp10"]
DRIVERS: Mapping[Protocol, str] = {"amqp091": "wire091", "amqp10": "wire10"}
KINDS = {
    "rabbitmq": "rabbitmq",
    "qpid_broker_j": "qpid-broker-j",
    "artemis": "artemis",
    "activemq_classic": "activemq-classic",
}
SIDES: tuple[tuple[str, Protocol], ...] = (
    ("rabbitmq", "amqp091"),
    ("rabbitmq", "amqp10"),
    ("qpid_broker_j", "amqp091"),
    ("qpid_broker_j", "amqp10"),
    ("artemis", "amqp10"),
    ("activemq_classic", "amqp10"),
)
"""In the order of products, so that each is started once."""
DROPPING = (("qpid_broker_j", "amqp10"), ("artemis", "amqp10"), ("activemq_classic", "amqp10"))
"""They take what no queue is bound for, and drop it."""
ENDED = (TrialOutcome.COMPLETED, TrialOutcome.OVERLOADED)
"""Of a trial that ran to its end; a busy host may be too slow for the second that it lasts, and its ledger holds."""
ONLY_10 = {
    "artemis": "speaks amqp091: Apache ActiveMQ Artemis speaks amqp10",
    "activemq_classic": "speaks amqp091: Apache ActiveMQ Classic speaks amqp10",
}
NO_ARGUMENTS = {"activemq_classic": "queues of ActiveMQ Classic have no arguments"}


@dataclass(frozen=True)
class Pattern:
    """A workload, and what comes of it.

    Attributes:
        work: its fields.
        copies: owed of a message, by flow.
        nowhere: share of the messages that no queue is bound for.
        lacks: what is said where a product, or a product and a protocol, cannot do it.
    """

    work: Mapping[str, Any]
    copies: Mapping[str, float] = field(default_factory=lambda: {"w": 1.0})
    nowhere: float = 0.0
    lacks: Mapping[str, str] = field(default_factory=dict)


PATTERNS = {
    "queue": Pattern(
        {
            "exchange": "orders",
            "keys": {"key": "orders.{n}", "count": 4},
            "durable": True,
            "producers": 2,
            "consumers": 2,
            "topology": {
                "exchanges": [{"name": "orders", "type": "direct", "durable": True}],
                "queues": [{"name": "shop", "count": 2, "arguments": {"x-message-ttl": 600_000}}],
                "bindings": [{"exchange": "orders", "queue": "shop", "key": "orders.{n}", "count": 4}],
            },
        },
        lacks=dict.fromkeys(("artemis", "activemq_classic"), "queue 'shop-0' and 1 more: 2 bindings"),
    ),
    "fanout": Pattern({"pattern": "fanout", "queues": 4, "consumers": 4, "producers": 2}, {"w": 4.0}),
    "fanout, closed": Pattern(
        {"pattern": "fanout", "queues": 3, "consumers": 3, "load": {"kind": "in_flight", "in_flight": [16]}},
        {"w": 3.0},
    ),
    "topic": Pattern(
        {
            "exchange": "news",
            "keys": ["orders.eu.new", "orders.us.new", "orders", "void"],
            "consumers": 3,
            "topology": {
                "exchanges": [{"name": "news", "type": "topic"}],
                "queues": [{"name": name} for name in ("eu", "orders", "all")],
                "bindings": [
                    {"exchange": "news", "queue": "eu", "key": "*.eu.*"},
                    {"exchange": "news", "queue": "orders", "key": "orders"},
                    {"exchange": "news", "queue": "all", "key": "orders.#"},
                ],
            },
        },
        {"w": 5 / 4},
        nowhere=1 / 4,
        lacks={"activemq_classic": "key = '*.eu.*': a virtual topic of ActiveMQ Classic has no patterns"},
    ),
    "topic by Zipf": Pattern(
        {
            "pattern": "topic",
            "queues": 3,
            "consumers": 3,
            "producers": 2,
            "keys": {"key": "news.{n}", "count": 30, "order": "zipf"},
        },
        lacks=dict.fromkeys(("artemis", "activemq_classic"), "10 bindings"),
    ),
    "headers": Pattern(
        {
            "exchange": "h",
            "properties": {"headers": {"color": "red", "size": "big"}},
            "consumers": 2,
            "topology": {
                "exchanges": [{"name": "h", "type": "headers"}],
                "queues": [{"name": name} for name in ("all", "any", "none")],
                "bindings": [
                    {"exchange": "h", "queue": "all", "arguments": {"x-match": "all", "color": "red", "size": "big"}},
                    {"exchange": "h", "queue": "any", "arguments": {"x-match": "any", "color": "red", "size": "no"}},
                    {"exchange": "h", "queue": "none", "arguments": {"x-match": "all", "color": "blue"}},
                ],
            },
        },
        {"w": 2.0},
        lacks={"activemq_classic": "type = 'headers': ActiveMQ Classic copies messages by virtual topics"},
    ),
    "rpc": Pattern({"pattern": "rpc", "producers": 2, "consumers": 2, "think": "2ms", "reply_size": 500}),
    "rpc, direct": Pattern(
        {"pattern": "rpc", "producers": 2, "consumers": 2, "reply": "direct"},
        lacks={
            "qpid_broker_j amqp091": "'direct': Broker-J knows no direct reply-to",
            **dict.fromkeys(
                ("rabbitmq amqp10", "qpid_broker_j amqp10", "artemis", "activemq_classic"),
                "'direct' is a way of AMQP 0-9-1",
            ),
        },
    ),
    "rpc, dynamic": Pattern(
        {"pattern": "rpc", "producers": 2, "consumers": 2, "reply": "dynamic"},
        lacks={"rabbitmq amqp10": "'dynamic': over AMQP 1.0 RabbitMQ 4.0 names no nodes"},
    ),
    "openstack-rpc": Pattern(
        {"pattern": "openstack-rpc", "producers": 2, "consumers": 2, "ack_batch": 1, "idle_connections": 20},
        {"call": 1.0, "cast": 1.0, "fanout": 2.0, "notify": 1.0, "idle": 1.0},
    ),
    "from 0-9-1 to 1.0": Pattern(
        {"producer_driver": "wire091", "consumer_driver": "wire10", "properties": {"headers": {"n": "{seq}"}}},
        lacks=ONLY_10,
    ),
    "from 1.0 to 0-9-1": Pattern(
        {"producer_driver": "wire10", "consumer_driver": "wire091", "pattern": "fanout", "queues": 2, "consumers": 2},
        {"w": 2.0},
        lacks=ONLY_10,
    ),
    "several flows": Pattern(
        {
            "flows": [
                {
                    "name": "orders",
                    "producers": 2,
                    "queues": 2,
                    "consumers": [{"count": 2}, {"count": 2, "prefetch": 10, "ack_batch": 1}],
                },
                {"name": "news", "pattern": "fanout", "queues": 2, "consumers": 2, "background": True},
            ]
        },
        {"orders": 1.0, "news": 2.0},
    ),
}
"""Shapes of work; each kind of exchange, of reply and of mixture is among them."""
ALWAYS: tuple[tuple[str, Protocol], ...] = (
    ("queue", "amqp091"),
    ("fanout", "amqp10"),
    ("topic", "amqp091"),
    ("rpc", "amqp10"),
    ("rpc, direct", "amqp091"),
    ("openstack-rpc", "amqp091"),
    ("from 0-9-1 to 1.0", "amqp091"),
)
"""What every run of the tests meets, on RabbitMQ."""


@pytest.fixture(scope="module", autouse=True)
def compiled() -> None:
    """Compile what workers load, as a run does: they would all compile it at once, and be late."""
    warm_up(DRIVERS.values(), print)


def found(broker: Broker, kind: str, protocol: Protocol, work: Mapping[str, Any]) -> tuple[TrialRecord | None, str]:
    """Return the record of a workload's trial; none, and why, where the scenario has faults."""
    whole: dict[str, Any] = {"load": {"kind": "rate", "rate": 200}, "duration": "1s", **work}
    scenario = Scenario.model_validate(
        {
            "name": "s", "title": "t", "question": "q?",
            "brokers": [{"name": "r", "kind": kind}],
            "targets": [{"name": "t", "broker": "r", "protocol": protocol, "driver": DRIVERS[protocol]}],
            "workloads": [{"name": "w", **whole}],
        }
    )  # fmt: skip
    faults = [str(fault) for fault in inconsistencies(scenario, registry())]
    if faults:
        return None, "; ".join(faults)
    done, _, _ = trial(broker, scenario.targets[0], whole)
    return done.record, ""


def assert_exact(ledger: Ledger, *, again: int = 0) -> None:
    """Nothing is lost, unexpected or out of its sums; so many came again that consumers gave back."""
    assert ledger.balanced
    assert (ledger.missing, ledger.lost, ledger.unknown, ledger.undelivered) == (0, 0, 0, 0)
    assert (ledger.foreign, ledger.stray, ledger.late) == (0, 0, 0)
    assert (ledger.duplicated, ledger.redelivered) == (again, again)
    assert ledger.sent == ledger.confirmed + ledger.refused + ledger.returned
    assert ledger.owed == ledger.received + ledger.by_rule + sum(ledger.ended.values()) + ledger.unconfirmed_missing
    assert ledger.received > 0


def assert_pattern(record: TrialRecord, asked: Pattern, *, returns: bool) -> None:
    """Each flow's ledger is exact, with as many copies owed as its bindings say, and none is missing."""
    assert record.outcome in ENDED, record.reason
    assert record.drained
    ledgers = {record.flow or "w": record.ledger} | {flow.name: flow.ledger for flow in record.flows}
    assert ledgers.keys() == asked.copies.keys()
    for name, ledger in ledgers.items():
        assert_exact(ledger)
        # Keys come in turn, so that the mean holds but for the last of them; those that are drawn have one copy each.
        assert abs(ledger.owed - asked.copies[name] * ledger.sent) <= 4
        assert (ledger.received, ledger.reordered, ledger.refused) == (ledger.owed, 0, 0)
        assert abs(ledger.returned - asked.nowhere * ledger.sent * returns) <= 2
    assert record.little is None or record.little.holds


@pytest.mark.parametrize(("name", "protocol"), ALWAYS)
def test_a_pattern_keeps_its_ledger(name: str, protocol: Protocol, rabbitmq: Broker) -> None:
    """One of each pattern, over one protocol."""
    record, why = found(rabbitmq, "rabbitmq", protocol, PATTERNS[name].work)
    assert record is not None, why
    assert_pattern(record, PATTERNS[name], returns=True)


@pytest.mark.soak
@pytest.mark.parametrize(("product", "protocol"), SIDES)
@pytest.mark.parametrize("name", PATTERNS)
def test_every_product_keeps_the_ledger_of_every_pattern(
    name: str, product: str, protocol: Protocol, request: pytest.FixtureRequest
) -> None:
    """Or says that it cannot, before anything runs."""
    asked = PATTERNS[name]
    broker: Broker = request.getfixturevalue(product)
    record, why = found(broker, KINDS[product], protocol, asked.work)
    lacks = asked.lacks.get(f"{product} {protocol}", asked.lacks.get(product))
    if lacks is not None:
        assert lacks in why
        return
    assert record is not None, why
    assert_pattern(record, asked, returns=(product, protocol) not in DROPPING)


SLOW = {"think": "20ms", "prefetch": 5, "ack_batch": 1}
"""A quarter of what is sent is taken."""


def one_queue(letters: bool = True, **arguments: object) -> dict[str, Any]:  # noqa: FBT001, FBT002
    """Return fields of a workload with a queue, and one for its dead letters."""
    named = {name.replace("_", "-"): value for name, value in arguments.items()}
    dead = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"} if letters else {}
    queues = [{"name": "q", "arguments": named | dead}, *([{"name": "dead"}] if letters else [])]
    return {"keys": "q", "consume": "q", "topology": {"queues": queues}}


@dataclass(frozen=True)
class Ending:
    """A workload of which some messages end otherwise than by being received.

    Attributes:
        work: its fields.
        ends: where the ledger counts them: a reason, `by_rule`, `refused`, or nothing where all are received.
        reason: of dead letters, where a product tells one of its own.
        lacks: see `Pattern`.
    """

    work: Mapping[str, Any]
    ends: str = ""
    lacks: Mapping[str, str] = field(default_factory=dict)


GIVEN_BACK = "requeue: 0.3: over AMQP 1.0 Broker-J takes what is given back"
DROPPED = "is gone, and no dead letter"
ENDINGS = {
    "too old": Ending({**SLOW, **one_queue(x_message_ttl=100)}, "expired", NO_ARGUMENTS),
    "too old, untold": Ending({**SLOW, **one_queue(letters=False, x_message_ttl=100)}, "by_rule", NO_ARGUMENTS),
    "too old by itself": Ending(
        {**SLOW, "properties": {"expiration": 100}},
        "by_rule",
        {"qpid_broker_j amqp091": "properties.expiration: 100: over AMQP 0-9-1 Broker-J takes it for an instant"},
    ),
    "oldest dropped": Ending(
        {**SLOW, **one_queue(x_max_length=20)},
        "maxlen",
        {"qpid_broker_j": DROPPED, "artemis": DROPPED} | NO_ARGUMENTS,
    ),
    "oldest dropped, untold": Ending({**SLOW, **one_queue(letters=False, x_max_length=20)}, "by_rule", NO_ARGUMENTS),
    "full": Ending(
        {**SLOW, **one_queue(letters=False, x_max_length=20, x_overflow="reject-publish")},
        "refused",
        {"qpid_broker_j amqp10": "ends the link of a sender to a full queue"} | NO_ARGUMENTS,
    ),
    "rejected": Ending({"reject": 0.2, "ack_batch": 1, **one_queue()}, lacks=NO_ARGUMENTS),
    "rejected, untold": Ending({"reject": 0.2, "ack_batch": 1}),
    "given back": Ending({"requeue": 0.3, **one_queue()}, lacks={"qpid_broker_j amqp10": GIVEN_BACK} | NO_ARGUMENTS),
    "given back, some rejected": Ending(
        {"reject": 0.2, "requeue": 0.3, "ack_batch": 1}, lacks={"qpid_broker_j amqp10": GIVEN_BACK}
    ),
}


def assert_ending(record: TrialRecord, asked: Ending, *, told: bool) -> None:
    """What ended is counted where it belongs, and all adds up."""
    assert record.outcome in ENDED, record.reason
    ledger = record.ledger
    assert_exact(ledger, again=record.counters.get("requeued", 0))
    counted = {**ledger.ended, "by_rule": ledger.by_rule, "refused": ledger.refused}
    reason = asked.ends if told or asked.ends in ("", "by_rule", "refused") else "dead-lettered"
    assert {name for name, count in counted.items() if count} == ({reason} if reason else set())
    codes = {note.code for note in record.findings}
    assert "lost" not in codes
    assert ("ended-by-rule" in codes) == (bool(asked.ends) and asked.ends != "refused")


@pytest.mark.parametrize("name", ["oldest dropped"])
def test_what_ends_by_a_rule_is_in_the_ledger(name: str, rabbitmq: Broker) -> None:
    """By its reason, as dead letters tell it."""
    record, why = found(rabbitmq, "rabbitmq", "amqp091", ENDINGS[name].work)
    assert record is not None, why
    assert_ending(record, ENDINGS[name], told=True)


@pytest.mark.soak
@pytest.mark.parametrize(("product", "protocol"), SIDES)
@pytest.mark.parametrize("name", ENDINGS)
def test_every_product_tells_how_messages_end(
    name: str, product: str, protocol: Protocol, request: pytest.FixtureRequest
) -> None:
    """By a rule, by a refusal of the broker or of a consumer; or says that it cannot."""
    asked = ENDINGS[name]
    broker: Broker = request.getfixturevalue(product)
    record, why = found(broker, KINDS[product], protocol, asked.work)
    lacks = asked.lacks.get(f"{product} {protocol}", asked.lacks.get(product))
    if lacks is not None:
        assert lacks in why
        return
    assert record is not None, why
    assert_ending(record, asked, told=product != "qpid_broker_j")
