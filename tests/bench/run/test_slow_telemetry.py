"""Looks once a second: what they hold, and that they decide nothing."""

import os
import time
from pathlib import Path

from bench.run.slow_telemetry import SlowTelemetry
from tests.crosschecks import IdleBroker


class Seen(IdleBroker):
    """A broker of these processes, with a folder."""

    def __init__(self, pids: tuple[int, ...], folder: Path) -> None:
        """Take them."""
        super().__init__()
        self.folder, self._pids = folder, pids

    def pids(self) -> tuple[int, ...]:
        """Return them."""
        return self._pids


def test_a_look_holds_both_sides(tmp_path: Path) -> None:
    """Switches of both, what the folder takes, and the depth that the broker tells."""
    (tmp_path / "journal").write_bytes(b"x" * 5000)
    slow_samples = SlowTelemetry(Seen((os.getpid(),), tmp_path), lambda: (os.getpid(),), lambda: 7)
    found = slow_samples.look()
    assert found.broker_voluntary is not None
    assert found.broker_voluntary > 0
    assert found.client_voluntary >= found.broker_voluntary
    assert (found.depth, slow_samples.seen) == (7, [found])
    assert found.data_bytes is not None


def test_a_broker_that_cannot_be_seen_is_unknown(tmp_path: Path) -> None:
    """No switches, and a folder that is not its own is not looked into."""
    found = SlowTelemetry(Seen((), tmp_path), lambda: (), lambda: 1).look()
    assert (found.broker_voluntary, found.broker_involuntary, found.data_bytes) == (None, None, None)
    assert (found.client_voluntary, found.depth) == (0, 1)


def test_a_broker_that_does_not_tell_is_not_asked_again() -> None:
    """Each question to one that hangs would wait as long."""
    answers = [3, None]
    slow_samples = SlowTelemetry(IdleBroker(), lambda: (), lambda: answers.pop(0))
    assert [slow_samples.look().depth for _ in range(4)] == [3, None, None, None]
    assert answers == []


def test_looks_are_made_until_stopped() -> None:
    """The first at once, and none after `stop`, which waits for the one under way."""
    asked: list[float] = []

    def slow() -> int:
        asked.append(time.monotonic())
        time.sleep(0.2)
        return 1

    slow_samples = SlowTelemetry(IdleBroker(), lambda: (), slow)
    slow_samples.start()
    while not asked:
        time.sleep(0.001)
    slow_samples.stop()
    assert len(slow_samples.seen) == len(asked) == 1
    time.sleep(1.2)
    assert len(asked) == 1
