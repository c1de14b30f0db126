"""What is left of a scenario when some of its brokers are taken away."""

from bench.scenario.absent_brokers import without
from bench.scenario.loading import load_scenario
from bench.scenario.scenario import Scenario


def _given(*changes: str) -> Scenario:
    return load_scenario("rabbitmq-vs-qpid", changes).scenario


def test_what_is_for_them_alone_goes_with_them() -> None:
    """Their targets, workloads for these alone, and limits on either; what is for others too stays."""
    scenario = _given(
        'workloads.steady.only=["broker-j-10"]',
        'workloads.durable.only=["rabbitmq-10", "rabbitmq-091", "broker-j-091", "broker-j-10"]',
        'limits=[{metric="p99", at_most="1s", target="broker-j-10"},'
        ' {metric="p99", at_most="1s", workload="steady"}, {metric="p99", at_most="2s"}]',
    )
    left = without(scenario, {"broker-j"})
    assert left is not None
    assert [one.name for one in left.brokers] == ["rabbitmq"]
    assert [one.name for one in left.targets] == ["rabbitmq-091", "rabbitmq-10"]
    names = {one.name for one in left.workloads}
    assert "steady" not in names
    assert next(one.only for one in left.workloads if one.name == "durable") == ("rabbitmq-10", "rabbitmq-091")
    assert len(left.limits) == 1


def test_nothing_is_changed_where_none_is_taken() -> None:
    """The same object."""
    scenario = _given()
    assert without(scenario, ()) is scenario


def test_without_any_broker_nothing_is_left() -> None:
    """None says so."""
    assert without(_given(), {"rabbitmq", "broker-j"}) is None
