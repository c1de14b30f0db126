"""Absolute limits as people write them: units by metric, one message a mistake, names that are there."""

import re
from typing import Any

import pytest
from pydantic import ValidationError

from bench.scenario.absolute_limit import read_condition
from bench.scenario.errors import ScenarioError
from bench.scenario.loading import load_text
from bench.scenario.scenario import AbsoluteLimit

SCENARIO = """
name = "tiny"
title = "Tiny"
question = "Is it fast enough?"
brokers = [{ name = "scripted", kind = "memory" }]
targets = [{ name = "one", broker = "scripted", protocol = "memory", driver = "memory" }]
workloads = [
  { name = "steady", duration = "2s", load = { kind = "rate", rate = 600 } },
  { name = "sweep", duration = "2s", load = { kind = "rate", rate = [100, 200] } },
]
"""


@pytest.mark.parametrize(
    ("given", "bound", "words"),
    [
        ({"metric": "p99", "at_most": "5ms"}, 5e6, "p99 at most 5ms"),
        ({"metric": "achieved_rate", "at_least": 1990}, 1990, "achieved_rate at least 1,990"),
        ({"metric": "broker_cpu", "at_most": "150us"}, 150, "broker_cpu at most 150us"),
        ({"metric": "broker_rss", "at_most": "512MiB"}, 512 * 2**20, "broker_rss at most 512MiB"),
        ({"metric": "lost", "at_most": 0}, 0, "lost at most 0"),
    ],
)
def test_a_value_has_the_unit_of_its_metric(given: dict[str, Any], bound: float, words: str) -> None:
    """Inside it is ns, messages a second, µs, bytes or messages; a record keeps it as it was given."""
    limit = AbsoluteLimit.model_validate(given)
    assert (limit.bound, limit.words) == (bound, words)
    assert AbsoluteLimit.model_validate_json(limit.model_dump_json()) == limit
    assert limit.kept_by(bound)
    assert limit.kept_by(bound - 1) is limit.upper
    assert limit.kept_by(bound + 1) is not limit.upper


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"metric": "p99"}, "p99: give one of at_most and at_least"),
        ({"metric": "p99", "at_most": "5ms", "at_least": "1ms"}, "p99: give one of at_most and at_least"),
        ({"metric": "p99", "at_most": 5}, "at_most = 5.0: of p99 it is a time with its unit, such as '5ms'"),
        ({"metric": "p99", "at_most": "0s"}, "at_most = '0s': of p99 it is a time with its unit"),
        ({"metric": "achieved_rate", "at_least": "fast"}, "of achieved_rate it is messages a second"),
        ({"metric": "lost", "at_most": 0.5}, "of lost it is a whole number of messages a trial"),
        ({"metric": "broker_rss", "at_most": -1}, "of broker_rss it is bytes or text, such as '512MiB'"),
        ({"metric": "p99", "at_most": True}, "at_most = 'true': of p99"),
    ],
)
def test_a_value_of_another_unit_is_refused(given: dict[str, Any], told: str) -> None:
    """With the field, what was given, and what it is to be."""
    with pytest.raises(ValidationError) as caught:
        AbsoluteLimit.model_validate(given)
    assert told in str(caught.value)


def test_a_scenario_has_limits_of_what_is_there() -> None:
    """A sweep and each of its workloads can be named; what is not there is told with what is, all at once."""
    limits = """
    [[limits]]
    metric = "p99"
    workload = "sweep"
    at_most = "5ms"
    [[limits]]
    metric = "p50"
    workload = "sweep-200"
    at_most = "1ms"
    """
    scenario = load_text(SCENARIO + limits, "tiny").scenario
    whole, single = scenario.limits
    names = [(one.name, one.part_of) for one in scenario.workloads]
    assert [name for name, part in names if whole.applies("one", name, part)] == ["sweep-100", "sweep-200"]
    assert [name for name, part in names if single.applies("one", name, part)] == ["sweep-200"]
    with pytest.raises(ScenarioError) as caught:
        load_text(SCENARIO + limits.replace('"sweep"', '"swept"').replace('"p50"', '"p50"\n    target = "two"'), "tiny")
    assert [str(fault) for fault in caught.value.faults] == [
        "limits.0.workload: 'swept' is no workload: there are steady, sweep, sweep-100, sweep-200",
        "limits.1.target: 'two' is no target: there are one",
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("p99>50ms", "p99 at most 50ms"),
        (" p99 > 50 ms ", "p99 at most 50 ms"),
        ("achieved_rate<1900", "achieved_rate at least 1900"),
        ("lost>0", "lost at most 0"),
    ],
)
def test_a_condition_is_the_breach_of_a_limit(text: str, words: str) -> None:
    """`>` breaks a largest value, `<` a smallest."""
    assert read_condition(text).words == words


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("p99", "write METRIC>VALUE or METRIC<VALUE, such as p99>50ms; metrics are p50, p90"),
        ("p98>5ms", "write METRIC>VALUE"),
        ("p99>5", "'p99>5': of p99 the value is a time with its unit"),
        ("p99>=5ms", "of p99 the value is a time"),
    ],
)
def test_what_is_no_condition_is_told(text: str, told: str) -> None:
    """And what is one."""
    with pytest.raises(ValueError, match=re.escape(text)) as caught:
        read_condition(text)
    assert told in str(caught.value)
