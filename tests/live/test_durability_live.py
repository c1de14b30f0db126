"""What real brokers write for a confirmed message, on the instances that other tests use."""

import shutil
from pathlib import Path

import pytest

from bench.results.durability import DurabilityClass
from bench.run.durability_probe import probe
from bench.scenario.scenario import RateLoad, Workload
from brokers.base import Broker

DURABLE = Workload(name="durable", load=RateLoad(kind="rate", rate=1), durable=True)


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is optional (bench doctor tells)")
def test_quorum_and_bdb_write_before_they_confirm(broker: Broker, tmp_path: Path) -> None:
    """A quorum queue and a BDB store make a synchronous write for each confirmed message, and run on afterwards."""
    found = probe(broker, broker.name, DURABLE, tmp_path, messages=100)
    assert found.why_not == ""
    assert found.messages == 100
    assert found.durability is DurabilityClass.SYSTEM
    assert broker.failure() is None
