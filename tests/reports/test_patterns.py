"""Words of the shape of the work: what is asked, what decides, what is counted."""

from typing import Any

import pytest

from bench.scenario.scenario import Workload
from reports.patterns import tag_of
from reports.questions import Question

_RATE = {"kind": "rate", "rate": 100}
_BOUND = {"kind": "in_flight", "in_flight": [8]}


@pytest.mark.parametrize(
    ("given", "asks", "metric", "unit", "load"),
    [
        ({}, "Which delivers sooner?", "p99 response", "msg/s", "100 msg/s of 100 B, transient"),
        (
            {"pattern": "rpc", "reply": "direct"},
            "Which answers a call sooner?",
            "p99 round trip",
            "calls/s",
            "100 calls/s of 100 B, transient, replies by direct reply-to",
        ),
        (
            {"pattern": "fanout", "queues": 3, "consumers": 3},
            "Which reaches subscribers sooner?",
            "p99 response of each copy",
            "copies/s",
            "100 msg/s of 100 B, transient, each to 3 subscribers",
        ),
        (
            {"consumers": 0},
            "Which confirms sooner?",
            "p99 confirm",
            "msg/s",
            "100 msg/s of 100 B, transient, nobody consumes",
        ),
        (
            {"pattern": "fanout", "queues": 3, "consumers": 3, "load": _BOUND},
            "Which hands out more copies a second?",
            "achieved rate",
            "copies/s",
            "8 messages in flight of 100 B, transient, each to 3 subscribers",
        ),
        (
            {"pattern": "rpc", "load": _BOUND},
            "Which answers more calls a second?",
            "achieved rate",
            "calls/s",
            "8 calls in flight of 100 B, transient, replies to a queue of each requester",
        ),
    ],
)
def test_a_question_has_the_words_of_its_pattern(
    given: dict[str, Any], asks: str, metric: str, unit: str, load: str
) -> None:
    """What is asked of several targets, what decides, the unit, and the load."""
    question = Question("one", (Workload.model_validate({"name": "one", "load": _RATE} | given),))
    assert (question.asks(2), question.metric, question.unit, question.load) == (asks, metric, unit, load)
    assert question.asks(1).startswith("How ")


def test_confirms_are_judged_where_nobody_consumes() -> None:
    """The latency that decides is there in the record."""
    one = {"name": "one", "load": _RATE}
    assert tag_of(Workload.model_validate(one | {"consumers": 0})) == "confirm"
    assert tag_of(Workload.model_validate(one)) == "response"
    assert tag_of(Workload.model_validate(one | {"load": _BOUND})) == "service"
