"""Bare paths: to programs of this host, which stand for any place."""

import dataclasses
import time
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import ClassVar

import pytest

from bench.run import path_probe
from bench.run.path_probe import RATE, ROUNDS, measure_paths, ways
from bench.scenario.loading import load_scenario
from bench.scenario.scenario import Scenario
from brokers.ground import CPUS, NETWORK
from brokers.places import ports
from brokers.places.base import Caps, Launch, Running, StartingPlace
from brokers.places.process import HostProcess, newest_below
from brokers.registry import places


class Here(StartingPlace):
    """Programs of this host."""

    name: ClassVar[str] = "sandbox"
    summary: ClassVar[str] = "of this host"
    program: ClassVar[tuple[str, ...] | None] = None
    """What is started in place of what is asked for."""
    running: ClassVar[list[Running]] = []
    cleared: ClassVar[list[Mapping[str, str]]] = []

    def home(self, folder: Path) -> PurePosixPath:
        """Return the folder itself."""
        return PurePosixPath(folder)

    def newest(self, pattern: str) -> PurePosixPath:
        """Return a file of this host."""
        return PurePosixPath(newest_below(Path("/"), pattern))

    def free_ports(self, names: tuple[str, ...]) -> dict[str, int]:
        """Return free ports of loopback."""
        return ports.free_ports(names)

    def start(self, launch: Launch, caps: Caps | None) -> Running:
        """Start it."""
        wanted = dataclasses.replace(launch, argv=self.program or launch.argv)
        self.running.append(HostProcess(wanted.argv, wanted, caps))
        return self.running[-1]

    def clear(self) -> None:
        """Note that it was called."""
        self.cleared.append(self.options_given)


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the sandbox be this host, and rounds be short."""
    installed = places().installed
    monkeypatch.setitem(installed, "sandbox", dataclasses.replace(installed["sandbox"], member=Here))
    monkeypatch.setattr(Here, "running", [])
    monkeypatch.setattr(Here, "cleared", [])
    for name, seconds in (("ROUND_S", 0.1), ("_WARM_S", 0.05), ("START_TIMEOUT_S", 10.0)):
        monkeypatch.setattr(path_probe, name, seconds)


def scenario(*changes: str) -> Scenario:
    """Return one of two brokers."""
    return load_scenario("rabbitmq-vs-qpid", changes).scenario


def gone() -> bool:
    """Return whether every program has ended."""
    return all(one.exit_code() is not None and not one.pids() for one in Here.running)


def test_a_place_is_measured_once_for_all_its_brokers(tmp_path: Path) -> None:
    """In rounds, with what surrounds it; nothing is left."""
    (path,) = measure_paths(scenario(), {}, tmp_path, lambda _: None)
    assert path.why_not == ""
    assert path.brokers == ("rabbitmq", "broker-j")
    assert len(path.p50_ns) == len(path.p99_ns) == len(path.cpu_us) == ROUNDS
    assert all(0 < low <= high < 1e9 for low, high in zip(path.p50_ns, path.p99_ns, strict=True))
    assert path.first_answer_s is not None
    assert path.first_answer_s > 0
    assert path.ground[NETWORK] == "loopback"
    assert CPUS in path.ground
    assert gone()
    assert Here.cleared == [{}]


def test_what_answers_slower_is_seen_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the 5 ms that a program rests before it answers; one at a time is then on its way."""
    rests = path_probe.ECHO.replace("syswrite", "select(undef, undef, undef, 0.005); syswrite")
    monkeypatch.setattr(path_probe, "ECHO", rests)
    monkeypatch.setattr(path_probe, "ROUND_S", 0.2)
    (path,) = measure_paths(scenario(), {}, tmp_path, lambda _: None)
    assert all(one >= 5e6 for one in path.p50_ns)


def test_options_make_another_way() -> None:
    """The same place with another network is another path; a broker of someone else's is none."""
    found = ways(scenario("brokers.1.place_options={a='b'}", "brokers.1.optional=true", "brokers.1.place='else'"))
    assert [(one.settings.place, one.brokers) for one in found] == [("sandbox", ("rabbitmq",)), ("else", ("broker-j",))]
    assert ways(load_scenario("own-broker").scenario) == ()
    assert ways(load_scenario("smoke").scenario) == ()


def test_a_program_that_does_not_start_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what it said; the place is cleared all the same."""
    monkeypatch.setattr(Here, "program", ("/bin/sh", "-c", "echo no perl here; exit 3"))
    (path,) = measure_paths(scenario(), {}, tmp_path, lambda _: None)
    assert path.why_not == "the program that answers does not: no perl here"
    assert (path.p50_ns, path.first_answer_s) == ((), None)
    assert gone()
    assert len(Here.cleared) == 1


def test_one_that_hangs_up_is_told_and_the_others_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After its first answer."""
    monkeypatch.setattr(path_probe, "ECHO", path_probe.ECHO.replace("while (sysread", "if (sysread"))
    monkeypatch.setattr(path_probe, "ANSWER_TIMEOUT_S", 0.5)
    (path,) = measure_paths(scenario(), {}, tmp_path, lambda _: None)
    assert path.why_not.startswith("it stopped answering: ")
    assert gone()


def test_a_schedule_is_kept(tmp_path: Path) -> None:
    """No more round trips than the rate allows, whatever the path could do."""
    (way,) = ways(scenario())
    with path_probe.echoing(way, None, tmp_path / "echo") as echo:
        trips = 0
        there_and_back = echo._there_and_back

        def counted(body: bytes) -> None:
            nonlocal trips
            trips += 1
            there_and_back(body)

        echo._there_and_back = counted  # type: ignore[method-assign]
        begin_s = time.monotonic()
        echo.round(0.2)
        assert trips <= 1 + (time.monotonic() - begin_s) * RATE
    assert gone()
