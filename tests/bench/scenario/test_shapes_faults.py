"""Faults of shapes of work: each mistake is told once, by flow, value, what is allowed, and nothing false beside it."""

import pytest

from bench.scenario.errors import ScenarioError
from bench.scenario.loading import load_text

SCENARIO = """
name = "s"
title = "S"
question = "?"
plan.restart = "run"
brokers = [{ name = "r", kind = "rabbitmq" }]
targets = [{ name = "r", broker = "r", protocol = "amqp091", driver = "wire091" }]

[[workloads]]
name = "w"
load = { kind = "rate", rate = 100 }
topology.exchanges = [{ name = "e", type = "topic" }, { name = "dead", type = "fanout" }]
topology.queues = [
    { name = "desk", count = 20, arguments = { x-message-ttl = 60000, x-dead-letter-exchange = "dead" } },
    { name = "letters" },
]
topology.bindings = [
    { exchange = "e", queue = "desk", key = "trade.{n}.*", count = 40 },
    { exchange = "dead", queue = "letters" },
]
flows = [
    { name = "trades", exchange = "e", keys = { key = "trade.{n}.eu", count = 40 }, consume = "desk", consumers = 20 },
    { name = "calls", pattern = "rpc", background = true },
]
"""


def faults(*changes: tuple[str, str]) -> list[str]:
    """Return the faults of the scenario with some texts replaced, as a user reads them; none where it is sound."""
    text = SCENARIO
    for before, after in changes:
        assert before in text
        text = text.replace(before, after, 1)
    try:
        load_text(text, "s")
    except ScenarioError as error:
        return [str(fault) for fault in error.faults]
    return []


def test_as_it_stands_it_is_sound() -> None:
    """So that each fault below is of its own mistake."""
    assert faults() == []


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (
            'exchange = "e", keys',
            'exchange = "f", keys',
            "workloads.0: flow 'trades': exchange = 'f': choose one of e, dead (topology.exchanges)",
        ),
        (
            'consume = "desk"',
            'consume = "desks"',
            "workloads.0: flow 'trades': consume = 'desks': choose one of desk, letters (topology.queues)",
        ),
        (
            'queue = "desk", key',
            'queue = "dusk", key',
            "workloads.0: topology.bindings.0.queue = 'dusk': choose one of desk, letters (topology.queues)",
        ),
        (
            'key = "trade.{n}.*"',
            'key = "trade"',
            "workloads.0: topology.bindings.0.key = 'trade': of 40 bindings each needs its number: write {n} into it",
        ),
        (
            'key = "trade.{n}.eu"',
            'key = "t.{n}"',
            "workloads.0: flow 'trades': exchange = 'e': no binding takes one of its keys ('t.0'): add one",
        ),
        (
            'x-dead-letter-exchange = "dead"',
            'x-dead-letter-exchange = "deadd"',
            (
                "workloads.0: topology.queues.0.arguments.x-dead-letter-exchange = 'deadd': choose one of e, dead"
                " (topology.exchanges), or '' (the default exchange)"
            ),
        ),
        (
            'x-dead-letter-exchange = "dead"',
            'x-dead-letter-exchange = "", x-dead-letter-routing-key = "no"',
            (
                "workloads.0: topology.queues.0.arguments.x-dead-letter-routing-key = 'no': choose one of desk, letters"
                " (topology.queues)"
            ),
        ),
        (
            "x-message-ttl = 60000",
            'x-message-ttl = "60s"',
            (
                "workloads.0.topology: broker r: queue 'desk-0' and 19 more: x-message-ttl = '60s': it must be a whole"
                " number of milliseconds from 0"
            ),
        ),
        (
            "consumers = 20",
            "consumers = [{ count = 20 }, { count = 3 }]",
            (
                "workloads.0: flow 'trades': consumers = 3: 20 queues get messages, and each needs a consumer of each"
                " kind: use 20 or more (lanes_per_connection lets them share connections), or use fewer queues"
            ),
        ),
        (
            'pattern = "rpc"',
            'pattern = "rpc", reject = 0.1',
            (
                "workloads.0: flow 'calls': reject = 0.1: with pattern = 'rpc' every call is answered: use 0, or leave"
                " it out"
            ),
        ),
        (
            'pattern = "rpc"',
            'exchange = "e", keys = "trade.7.us", consume = "desk", consumers = 20',
            (
                "workloads.0: flows 'trades' and 'calls' both use queue 'desk-0' and 19 more: give each flow queues of"
                " its own, by keys and bindings that differ, as nobody could tell whose message is whose"
            ),
        ),
    ],
)
def test_a_mistake_is_one_fault(before: str, after: str, told: str) -> None:
    """Where it is, what was found, what is allowed, what to do."""
    assert faults((before, after)) == [told]


def test_an_exchange_of_the_broker_itself_may_take_dead_letters() -> None:
    """Such as amq.fanout, which is always there."""
    assert faults(('x-dead-letter-exchange = "dead"', 'x-dead-letter-exchange = "amq.fanout"')) == []


def test_several_mistakes_of_a_workload_are_a_line_each() -> None:
    """And each is told once, also where a sweep makes several workloads of it."""
    found = faults(
        ('exchange = "e", keys', 'exchange = "f", prefetch = { sweep = [100, 200] }, keys'),
        ('name = "calls"', 'name = "trades"'),
        ('exchange = "dead", queue', 'exchange = "ded", queue'),
    )
    assert found == [
        "workloads.0: flows: 'trades' occurs twice: names must differ",
        "workloads.0: topology.bindings.1.exchange = 'ded': choose one of e, dead (topology.exchanges)",
        "workloads.0: flow 'trades': exchange = 'f': choose one of e, dead (topology.exchanges)",
    ]
