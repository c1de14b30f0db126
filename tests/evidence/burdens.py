"""Drivers that spoil a trial on purpose: the compiled 0-9-1 driver with a burden. For `tests.evidence.health` alone."""

import threading
import time
from collections.abc import Callable
from typing import Any

from bench.drivers.base import Deliveries, PortSpec, Settlements
from bench.drivers.description import Driver
from bench.host.clock import Clock
from bench.units import NS_PER_S

BURNT = Driver("burnt091", "amqp091", "wire091 beside a thread that computes", "tests.evidence.burdens:open_burnt")
SLOW = Driver("slow091", "amqp091", "wire091 whose consumer takes few", "tests.evidence.burdens:open_slow")
CONSUMED = {name: f"tests.evidence.burdens:{name[:-3].upper()}" for name in ("burnt091", "slow091")}
"""Entry points: a driver's name and where its description is."""
TAKEN_PER_S = 1_600
"""80 % of the rate that is offered."""
_BUSY_S, _IDLE_S = 0.019, 0.001


def open_burnt(spec: PortSpec, clock: Clock) -> Any:
    """Open the compiled driver in a worker that computes 95 % of the time."""
    threading.Thread(target=_compute, daemon=True).start()
    return _open(spec, clock)


def open_slow(spec: PortSpec, clock: Clock) -> Any:
    """Open the compiled driver; a consumer waits after each batch until so many are due to be taken."""
    return _Slow(_open(spec, clock)) if spec.consumers else _open(spec, clock)


class _Slow:
    """A consumer's port that takes at most so many messages a second."""

    def __init__(self, port: Any) -> None:
        self._port = port
        self._free_ns = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._port, name)

    def poll(self, timeout_ns: int) -> tuple[Settlements, Deliveries]:
        """Take nothing until the last batch would have been taken at this pace."""
        wait_ns = self._free_ns - time.monotonic_ns()
        if wait_ns > 0:
            time.sleep(min(wait_ns, timeout_ns) / NS_PER_S)
            if wait_ns > timeout_ns:
                return _nothing()
        settlements, deliveries = self._port.poll(timeout_ns)
        now_ns = time.monotonic_ns()
        self._free_ns = max(self._free_ns, now_ns) + len(deliveries.seq) * NS_PER_S // TAKEN_PER_S
        return settlements, deliveries


def _open(spec: PortSpec, clock: Clock) -> Any:
    from bench.drivers.wire.wire091 import open_port  # noqa: PLC0415  (a description imports no driver)

    opener: Callable[[PortSpec, Clock], Any] = open_port
    return opener(spec, clock)


def _nothing() -> tuple[Settlements, Deliveries]:
    from bench.drivers.base import empty_deliveries, empty_settlements  # noqa: PLC0415

    return empty_settlements(), empty_deliveries()


def _compute() -> None:
    while True:
        until = time.monotonic() + _BUSY_S
        while time.monotonic() < until:
            pass
        time.sleep(_IDLE_S)
