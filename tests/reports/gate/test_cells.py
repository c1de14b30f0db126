"""Which rows a gate may set beside each other, on synthetic runs."""

from pathlib import Path

import pytest

from bench.archive import write_durability
from bench.durability import DurabilityRecord, Probe
from reports.dataset import Dataset, load
from reports.gate.cells import GateError, Side, check
from tests.reports.synthetic import build


def probed(folder: Path, fsyncs: int) -> Dataset:
    """Return a run whose probe of RabbitMQ counted so many writes of 200 confirmed messages."""
    build(folder, mode="full", repetitions=1, closed_loop=False)
    probe = Probe(broker="rabbitmq", workload="durable", size=100, messages=200, fsyncs=fsyncs)
    write_durability(folder, DurabilityRecord(probes=(probe,)))
    return load(folder)


def test_promises_go_by_what_was_counted(tmp_path: Path) -> None:
    """Settings are alike, but one side wrote nothing before it confirmed: that row is refused, and it alone."""
    base = Side(probed(tmp_path / "base", 200))
    assert check(base, base) == ()
    with pytest.raises(GateError) as caught:
        check(base, Side(probed(tmp_path / "new", 0)))
    rows = [fault.partition(":")[0] for fault in caught.value.faults]
    assert rows == ["rabbitmq-091, durable", "rabbitmq-10, durable"]
