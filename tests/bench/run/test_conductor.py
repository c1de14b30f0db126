"""A results folder has one writer, a broker that does not start has two tries; the rest is tested by whole runs."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench.results.archive import ArchiveError
from bench.run.conductor import Conductor, held
from brokers.base import BrokerError


def test_a_folder_has_one_writer_at_a_time(tmp_path: Path) -> None:
    """A second one is told so, and writes nothing; afterwards the folder is free."""
    with held(tmp_path), pytest.raises(ArchiveError, match="is being written by another run"), held(tmp_path):
        pytest.fail("two at once")
    with held(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


class _Tried(Conductor):
    """A conductor whose trials end as a list says."""

    def __init__(self, *ends: Exception | str) -> None:
        targets = (SimpleNamespace(name="t", broker="b"),)
        self._run: Any = SimpleNamespace(scenario=SimpleNamespace(targets=targets))
        self._start_failures = {}
        self._out_of_memory = []
        self._ends = iter(ends)
        self._abort_on = ()
        self.told: list[str] = []
        self._watch: Any = SimpleNamespace(
            begin=lambda *_: self.told.append("begin"), end=self.told.append, say=self.told.append
        )

    def one(self, *_: Any) -> Any:
        end = next(self._ends)
        if isinstance(end, Exception):
            raise end
        return end

    def told_of(self, trials: int) -> Iterator[str]:
        """Do trials; yield what was told."""
        for index in range(trials):
            self._next(SimpleNamespace(target="t", index=index), index + 1, trials)  # type: ignore[arg-type]
        yield from self.told


def test_a_trial_whose_broker_failed_is_tried_once_more_itself() -> None:
    """Not the next one in its stead; what then goes well is no failure of the run."""
    conductor = _Tried(BrokerError("no start"), "first", "second")
    assert list(conductor.told_of(2)) == ["begin", "b failed: trying once more", "first", "begin", "second"]
    assert conductor._failures() == ()


def test_a_broker_that_fails_twice_is_left_out() -> None:
    """With the last reason; none of its trials is begun any more."""
    conductor = _Tried(BrokerError("one"), BrokerError("two"))
    told = list(conductor.told_of(3))
    assert told == ["begin", "b failed: trying once more", "b failed: its trials are left out"]
    assert conductor._failures() == ("two",)
