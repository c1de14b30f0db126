"""Which rows a gate may set beside each other, on synthetic runs."""

import pytest

from bench.results.durability import Probe
from reports.dataset import Dataset
from reports.gate.pairs import GateError, Side, check
from tests.reports.in_memory import tables
from tests.reports.synthetic import make


def probed(fsyncs: int) -> Dataset:
    """Return a run whose probe of RabbitMQ counted so many writes of 200 confirmed messages."""
    run = make(mode="full", repetitions=1, closed_loop=False)
    probe = Probe(broker="rabbitmq", workload="durable", size=100, messages=200, fsyncs=fsyncs)
    return tables(run, probes={run.record.run_id: (probe,)})


def test_promises_go_by_what_was_counted() -> None:
    """Settings are alike, but one side wrote nothing before it confirmed: that row is refused, and it alone."""
    base = Side(probed(200))
    assert check(base, base) == ()
    with pytest.raises(GateError) as caught:
        check(base, Side(probed(0)))
    rows = [fault.partition(":")[0] for fault in caught.value.faults]
    assert rows == ["rabbitmq-091, durable", "rabbitmq-10, durable"]
