"""The brokers of a run, with brokers that only remember what was done to them."""

from pathlib import Path

import pytest

from bench.run import running_brokers as module
from bench.run.running_brokers import Fleet
from bench.scenario.loading import load_scenario
from brokers.base import BrokerError
from brokers.product import Facts
from brokers.settings import BrokerSettings


class Fake:
    """A broker that notes its fate; `ends` is raised when it is stopped."""

    def __init__(self, name: str) -> None:
        """Begin not started."""
        self.name = name
        self.fate: list[str] = []
        self.dead: str | None = None
        self.ends: BaseException | None = None

    def start(self) -> None:
        """Note it."""
        self.fate.append("start")

    def facts(self) -> Facts:
        """Return some."""
        return Facts("fake", "1", "none")

    def failure(self) -> str | None:
        """Return why it died."""
        return self.dead

    def stop(self) -> None:
        """Note it, and end as told."""
        self.fate.append("stop")
        if self.ends is not None:
            raise self.ends

    def kill(self) -> None:
        """Note it."""
        self.fate.append("kill")


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Fake]:
    """Every broker that a fleet opens, in order."""
    brokers: list[Fake] = []

    def open_fake(settings: BrokerSettings, *_: object, consume_existing: bool) -> Fake:
        assert not consume_existing
        brokers.append(Fake(settings.name))
        return brokers[-1]

    monkeypatch.setattr(module, "open_broker", open_fake)
    return brokers


def make_fleet(restart: str, folder: Path) -> Fleet:
    """Return a fleet of the shipped comparison under a restart policy."""
    scenario = load_scenario("rabbitmq-vs-qpid", [f"plan.restart={restart}"]).scenario
    return Fleet(scenario, folder, {"stable": folder}, lambda _: None)


@pytest.mark.parametrize(("restart", "starts"), [("run", 1), ("block", 2), ("trial", 4)])
def test_brokers_restart_by_policy_also_when_trials_are_missing(
    restart: str, starts: int, made: list[Fake], tmp_path: Path
) -> None:
    """Once a run, once a repetition, or each time, whichever trials of a block are left to do."""
    fleet = make_fleet(restart, tmp_path)
    for repetition in (0, 0, 3, 3):
        fleet.get("rabbitmq", repetition)
    assert len(made) == starts
    assert [broker.fate for broker in made[:-1]] == [["start", "stop"]] * (starts - 1)


def test_a_dead_broker_is_replaced_and_counted(made: list[Fake], tmp_path: Path) -> None:
    """The next trial gets a new one, not warm, with its number."""
    fleet = make_fleet("run", tmp_path)
    first = fleet.get("rabbitmq", 0)
    first.warm.add(("t", "w"))
    made[0].dead = "gone"
    second = fleet.get("rabbitmq", 0)
    assert (second.started, second.warm, second.loaded_ns) == (2, set(), 0)


@pytest.mark.parametrize("ends", [KeyboardInterrupt(), BrokerError("stuck")])
def test_every_broker_is_ended_whatever_happens_to_one(ends: BaseException, made: list[Fake], tmp_path: Path) -> None:
    """Ctrl-C or a failure while one is stopped: it is killed, the others are stopped, the cause is raised."""
    fleet = make_fleet("run", tmp_path)
    fleet.get("rabbitmq", 0)
    fleet.get("broker-j", 0)
    made[0].ends = ends
    with pytest.raises(type(ends)):
        fleet.stop_all()
    assert [broker.fate for broker in made] == [["start", "stop", "kill"], ["start", "stop"]]
    fleet.stop_all()
    assert len(made[0].fate) == 3


def test_a_broker_that_does_not_start_is_killed(
    made: list[Fake], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing that was begun stays."""
    fleet = make_fleet("run", tmp_path)

    def fail() -> None:
        raise BrokerError("no")

    original = module.open_broker

    def open_failing(*arguments: object, **named: object) -> object:
        broker = original(*arguments, **named)  # type: ignore[arg-type]
        broker.start = fail  # type: ignore[method-assign]
        return broker

    monkeypatch.setattr(module, "open_broker", open_failing)
    with pytest.raises(BrokerError):
        fleet.get("rabbitmq", 0)
    assert made[0].fate == ["kill"]
