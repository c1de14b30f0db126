"""A results folder has one writer, a broker that does not start has two tries; the rest is tested by whole runs."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench.results.archive import ArchiveError
from bench.results.records import TrialOutcome
from bench.run.conductor import Conductor, held
from bench.scenario.warmup import WarmUp
from bench.units import NS_PER_S
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


class _Warming(Conductor):
    """A conductor whose unmeasured work takes 4 s of load each time."""

    def __init__(self, outcome: TrialOutcome = TrialOutcome.COMPLETED) -> None:
        rule = WarmUp.model_validate({"at_least": "10s", "at_most": "20s"})
        self._run: Any = SimpleNamespace(scenario=SimpleNamespace(plan=SimpleNamespace(warm_up=rule)))
        self._watch: Any = SimpleNamespace(say=lambda _: None)
        self._outcome = outcome
        self.passes = 0

    def _unmeasured(self, instance: Any, *_: Any) -> Any:
        self.passes += 1
        instance.loaded_ns += 4 * NS_PER_S
        return SimpleNamespace(control=SimpleNamespace(outcome=self._outcome))

    def warmed(self, loaded_s: int) -> bool:
        """Return whether a broker counts as warm that was under load for so long."""
        instance: Any = SimpleNamespace(loaded_ns=loaded_s * NS_PER_S)
        named: Any = SimpleNamespace(name="n")
        return self._warm(instance, named, named, named)


@pytest.mark.parametrize(("loaded_s", "passes"), [(0, 3), (2, 2), (100, 1)])
def test_work_by_count_warms_a_broker_until_it_had_its_time(loaded_s: int, passes: int) -> None:
    """Once at least, so that no first time is compared."""
    conductor = _Warming()
    assert (conductor.warmed(loaded_s), conductor.passes) == (True, passes)


def test_warming_is_bounded() -> None:
    """By `at_most` where the time is not reached, and by a broker that broke off, of which its trial will tell."""
    conductor = _Warming()
    assert (conductor.warmed(-1_000), conductor.passes) == (False, 5)
    broken = _Warming(TrialOutcome.BROKER_FAILED)
    assert (broken.warmed(0), broken.passes) == (True, 1)
