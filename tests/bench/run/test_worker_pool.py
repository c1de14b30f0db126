"""The end of a worker that met a full disk; whole workers are tested by whole trials."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench.record.account import Account
from bench.run.worker import EXIT_NO_ROOM, handed_over
from bench.run.worker_pool import WorkerEnded, WorkerPool

EMPTY = Account(
    latencies={}, ticks={}, sent=None, received=None, intended_sum_ns=0, received_sum_ns=0, counters={}, marks=None
)


def test_an_account_without_room_is_told_apart(tmp_path: Path) -> None:
    """It is not there at all then; other faults are ours, with a traceback."""
    (tmp_path / "full.part").symlink_to("/dev/full")
    assert not handed_over(tmp_path / "full.npz", EMPTY)
    assert not (tmp_path / "full.npz").exists()
    assert handed_over(tmp_path / "whole.npz", EMPTY)
    with pytest.raises(FileNotFoundError):
        handed_over(tmp_path / "nowhere" / "x.npz", EMPTY)


def test_a_full_disk_is_named_with_its_place(tmp_path: Path) -> None:
    """The worker could not even write a word into its log."""
    task: Any = SimpleNamespace(name="producer-0", account=tmp_path / "trial" / "producer-0.npz")
    pool = WorkerPool([task], tmp_path / "trial")
    ended: Any = SimpleNamespace(poll=lambda: EXIT_NO_ROOM)
    pool._processes.append(ended)
    with pytest.raises(WorkerEnded, match=f"no room .* in {tmp_path}: make room") as told:
        pool.check()
    assert not told.value.broker
