"""A quiet trial to be spoilt by tests of health and findings, and a driver that spoils one."""

from dataclasses import replace

import numpy as np

from bench.drivers.base import Deliveries, PortSpec, Settlements
from bench.drivers.memory_broker import MemoryPort, MemoryRouting
from bench.host.clock import Clock
from bench.record.histogram import SecondsRecorder
from bench.results.records import Ledger, TrialOutcome
from bench.run.health import Circumstances
from bench.run.merge import Merged, tag_record
from bench.scenario.scenario import MemoryBroker
from bench.units import NS_PER_MS, NS_PER_S

CLEAN = Ledger(
    sent=1000, confirmed=1000, refused=0, returned=0, unknown=0, received=1000, lost=0, undelivered=0,
    unconfirmed_missing=0, duplicated=0, redelivered=0, reordered=0, foreign=0, stray=0, balanced=True,
)  # fmt: skip


def merged(
    send_lag_ns: int = 10_000, response_ns: int = 1_000_000, receive_lag_ns: int = 20_000, **changes: object
) -> Merged:
    """Return the numbers of a trial of 1,000 equal messages."""
    measured = {}
    for tag, value in (("send_lag", send_lag_ns), ("response", response_ns), ("receive_lag", receive_lag_ns)):
        recorder = SecondsRecorder(0)
        recorder.record(np.zeros(1000, np.int64), np.full(1000, value))
        measured[tag] = tag_record(recorder.finish())
    plain = Merged(
        latencies={}, measured=measured, ledger=CLEAN, little=None, ticks={}, offered=1000, sent=1000, received=1000,
        achieved_rate=1000.0, counters={},
    )  # fmt: skip
    return replace(plain, **changes)  # type: ignore[arg-type]


def around(numbers: Merged, **changes: object) -> Circumstances:
    """Return quiet circumstances of a completed trial."""
    quiet = Circumstances(
        merged=numbers, outcome=TrialOutcome.COMPLETED, drained=True, measured_s=1, open_loop=True, client_cores=0.3,
        workers=1, ceiling=None, warm_up_short=False, host_cpus=8, shared_cpus=False, steal_share=0.0,
    )  # fmt: skip
    return replace(quiet, **changes)  # type: ignore[arg-type]


class BusyPort(MemoryPort):
    """A driver with a callback that computes for 50 ms once a second, in which nothing is sent or taken."""

    def __init__(
        self, spec: PortSpec, clock: Clock, script: MemoryBroker, routing: MemoryRouting | None = None
    ) -> None:
        """Be busy for the first time after half a second."""
        super().__init__(spec, clock, script, routing)
        self._busy_ns = clock.now_ns() + NS_PER_S // 2

    def poll(self, timeout_ns: int) -> tuple[Settlements, Deliveries]:
        """Compute if it is time to, then do what was asked."""
        if self._clock.now_ns() >= self._busy_ns:
            self._busy_ns += NS_PER_S
            self._clock.sleep_ns(50 * NS_PER_MS)
        return super().poll(timeout_ns)
