"""The probe for durability: which brokers, and what it says where it cannot look."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from bench.drivers.base import DriverError, Outcome, Port, Settlements, empty_deliveries, empty_settlements
from bench.run import durability_probe as room
from bench.run.durability_probe import _send_one_by_one, durable_brokers, probe, probe_fleet
from bench.run.running_brokers import Fleet
from bench.scenario.scenario import Scenario
from brokers.base import Broker, BrokerError
from tests.reports.synthetic import scenario


class Answering:
    """A port that answers each message at the second poll."""

    def __init__(self, outcome: Outcome = Outcome.CONFIRMED, answers: int = 10_000) -> None:
        """Answer so, and so many times."""
        self.outcome, self.answers = outcome, answers
        self.sent: list[int] = []
        self.polls = 0

    def room(self) -> int:
        """Return 1: the window is open."""
        return 1

    def send(self, lane: Any, seq: Any, intended_ns: Any) -> Any:  # noqa: ARG002
        """Take a message."""
        self.sent.extend(seq.tolist())
        self.polls = 0
        return intended_ns

    def poll(self, timeout_ns: int) -> Any:  # noqa: ARG002
        """Say nothing, then the outcome."""
        self.polls += 1
        if self.polls < 2 or len(self.sent) > self.answers:
            return empty_settlements(), empty_deliveries()
        one = np.zeros(1, np.int64)
        return Settlements(one, np.array(self.sent[-1:]), one + self.outcome, one), empty_deliveries()


class Silent:
    """A broker whose processes are not ours, or that refuses its queue."""

    def __init__(self, pids: Sequence[int] = ()) -> None:
        """Have these processes."""
        self._pids = tuple(pids)

    def pids(self) -> tuple[int, ...]:
        """Return them."""
        return self._pids

    def declare(self, queue: str, *, durable: bool) -> None:
        """Refuse."""
        assert durable
        message = f"no room for {queue[:8]}"
        raise BrokerError(message)


def test_one_message_is_in_flight() -> None:
    """Each is sent when the one before was confirmed; a broker that falls silent ends it with what was confirmed."""
    port = Answering()
    assert _send_one_by_one(cast("Port", port), range(5, 9)) == 4
    assert port.sent == [5, 6, 7, 8]


def test_patience_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker that falls silent: what was confirmed until then."""
    monkeypatch.setattr(room, "PATIENCE_S", 0.05)
    assert _send_one_by_one(cast("Port", Answering(answers=3)), range(9)) == 3


def test_a_message_that_is_refused_is_no_evidence() -> None:
    """Nacked: said, and nothing counted."""
    with pytest.raises(DriverError, match="refused"):
        _send_one_by_one(cast("Port", Answering(Outcome.REFUSED)), range(3))


def test_brokers_with_a_durable_workload() -> None:
    """Each broker that a target uses, with the first durable workload; none where no workload is durable."""
    asked = scenario()
    assert [(name, workload.name) for name, workload in durable_brokers(asked)] == [
        ("rabbitmq", "durable"),
        ("broker-j", "durable"),
    ]
    fewer = asked.model_copy(update={"targets": asked.targets[:1]})
    assert [name for name, _ in durable_brokers(fewer)] == ["rabbitmq"]
    apart = tuple(one.model_copy(update={"only": ("broker-j-10",)}) for one in asked.workloads)
    assert [name for name, _ in durable_brokers(asked.model_copy(update={"workloads": apart}))] == ["broker-j"]
    transient = asked.model_copy(update={"workloads": asked.workloads[:1]})
    assert list(durable_brokers(transient)) == []


@pytest.mark.parametrize(("pids", "why"), [((), "its processes cannot be seen"), ((1,), "no room for busbench")])
def test_a_probe_that_finds_nothing_says_why(pids: tuple[int, ...], why: str, tmp_path: Path) -> None:
    """An external broker, and one that refuses the queue."""
    found = probe(cast("Broker", Silent(pids)), "mine", scenario().workloads[1], tmp_path)
    assert not found.measured
    assert found.why_not == why
    assert (found.broker, found.workload, found.size) == ("mine", "durable", 100)


def test_brokers_that_run_no_more(tmp_path: Path) -> None:
    """A fleet without running brokers: a reason for each; no record at all without a durable workload."""

    def found(asked: Scenario) -> Any:
        return probe_fleet(asked, Fleet(asked, tmp_path, {}, print), tmp_path, print)

    record = found(scenario())
    assert [one.broker for one in record.probes] == ["rabbitmq", "broker-j"]
    assert all("no longer running" in one.why_not for one in record.probes)
    assert found(scenario().model_copy(update={"workloads": scenario().workloads[:1]})) is None
