"""What a phase and a backlog took: read at the right moments, of what was seen."""

import numpy as np
import pytest

from bench.record.account import FIRST_SENT, LAST_RECEIVED, LAST_SETTLED, OPENED, Account
from bench.results.records import Ledger
from bench.run.counts import Surroundings, backlog, phases
from bench.run.slow_telemetry import SlowSample
from bench.run.telemetry import Sample
from bench.scenario.scenario import Workload
from bench.units import NS_PER_S

FILLED = Workload.model_validate(
    {"name": "w", "messages": 100, "phases": "enqueue-dequeue", "load": {"kind": "in_flight", "in_flight": 9}}
)


def ledger(**changed: int) -> Ledger:
    """Return the ledger of a hundred messages that all went well, changed."""
    names = Ledger.model_fields.keys() - {"balanced", "ended", "owed"}
    well = dict.fromkeys(names, 0) | {"sent": 100, "confirmed": 100, "received": 100}
    return Ledger.model_validate(well | {"balanced": True} | changed)


def account(**times_s: float) -> Account:
    """Return an account that has nothing but times."""
    times = {name: round(at_s * NS_PER_S) for name, at_s in times_s.items()}
    return Account({}, {}, None, None, 0, 0, {}, times=times)


ACCOUNTS = [
    account(**{FIRST_SENT: 10.1, LAST_SETTLED: 11.0}),
    account(**{FIRST_SENT: 10.0, LAST_SETTLED: 10.5}),
    account(**{OPENED: 12.5, LAST_RECEIVED: 13.0}),
    account(**{OPENED: 12.6, LAST_RECEIVED: 14.5}),
]


def test_a_phase_is_from_the_first_worker_to_the_last() -> None:
    """And the host's pauses in it are told by their share of all CPUs."""
    pauses = np.array([[0, 10_900_000_000, 11_500_000_000], [1, 12_500_000_000, 14_500_000_000]])
    enqueue, dequeue = phases(FILLED, ACCOUNTS, ledger(), 10 * NS_PER_S, Surroundings((), pauses, cpus=2))
    assert (enqueue.name, enqueue.begin_ns, enqueue.end_ns, enqueue.rate) == ("enqueue", 0, NS_PER_S, 100)
    assert enqueue.away_share == pytest.approx(0.05)
    assert (dequeue.begin_ns, dequeue.end_ns, dequeue.rate) == (2_500_000_000, 4_500_000_000, 50)
    assert dequeue.away_share == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("changed", "names"),
    [
        ({}, ["enqueue", "dequeue"]),
        ({"received": 99, "lost": 1}, ["enqueue", "dequeue"]),
        ({"received": 99, "undelivered": 1}, ["enqueue"]),
        ({"sent": 99}, []),
        ({"confirmed": 98, "unknown": 2}, ["dequeue"]),
        ({"missing": 1}, []),
    ],
)
def test_a_phase_that_did_not_come_to_its_end_is_absent(changed: dict[str, int], names: list[str]) -> None:
    """What is lost for good keeps none from ending; what lies on the broker does."""
    assert [one.name for one in phases(FILLED, ACCOUNTS, ledger(**changed), 0, Surroundings())] == names


def test_a_backlog_is_read_while_it_lies() -> None:
    """The last look before consumers were let in, beside the first of all."""
    sizes = {1: 50, 11: 70, 12: 90, 13: 60}
    blank = dict.fromkeys(Sample.__dataclass_fields__, 0)
    samples = [Sample(**blank | {"at_ns": at_s * NS_PER_S, "broker_rss": size}) for at_s, size in sizes.items()]
    looks = [SlowSample(at_s * NS_PER_S, 0, 0, 0, 0, data_bytes=at_s, depth=None) for at_s in (1, 12, 13)]
    found = backlog(100, 11 * NS_PER_S, 12 * NS_PER_S + 1, samples, looks)
    assert (found.messages, found.rss, found.rss_before) == (100, 90, 50)
    assert (found.data_bytes, found.data_bytes_before) == (12, 1)
    assert backlog(100, 20 * NS_PER_S, 21 * NS_PER_S, samples, looks).rss is None
