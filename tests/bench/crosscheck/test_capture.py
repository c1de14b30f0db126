"""When a capture begins and ends, and where none is taken."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import pytest

from bench.crosscheck import capture
from bench.crosscheck.pairing import Pairing
from bench.crosscheck.peer import Measured, PeerError
from bench.crosscheck.perftest import PerfTest
from bench.crosscheck.tcpdump import SniffError
from bench.results.records import Usage
from bench.scenario.scenario import Target
from brokers.endpoint import Endpoint
from tests.crosschecks import AT, RECORDED, recorded_port, workload

TARGET = Target(name="t", broker="b", protocol="amqp091", driver="pika-codec")
PAIRING = Pairing(TARGET, workload(duration="1s"), ("pika-codec",), PerfTest())


class FakeSides:
    """A peer that shows some moments and measures 3 and 5 ms."""

    def __init__(self, moments: list[bool], at: Endpoint = AT) -> None:
        """Show these moments: whether it is measuring."""
        self._moments = moments
        self._at = at

    def endpoint(self, pairing: Pairing) -> Endpoint:  # noqa: ARG002  (the signature of Sides)
        """Return the address."""
        return self._at

    def theirs(self, pairing: Pairing, watch: Callable[[bool], None]) -> tuple[Measured, Usage, Usage]:  # noqa: ARG002
        """Show the moments."""
        for moment in self._moments:
            watch(moment)
        usage = Usage(cpu_s=None, cpu_us_per_message=None, cpu_cores_busiest=None, rss_peak=None)
        return Measured(0, 1, 1, 1.0, 1.0, 3_000_000, 5_000_000), usage, usage


class FakeSniffer:
    """Notes when it begins and ends; holds a capture of a real tool."""

    def __init__(self, port: int, folder: Path) -> None:
        """Begin with nothing."""
        self.begun = False
        self._port, self._folder = port, folder

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Do nothing."""

    def begin(self) -> None:
        """Note it."""
        self.begun = True

    def end(self) -> tuple[bytes, int]:
        """Return the capture, and a packet dropped."""
        return (RECORDED / "perftest.pcap").read_bytes(), 1


@pytest.fixture(autouse=True)
def _fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capture, "Sniffer", FakeSniffer)


def take(sides: Any, tmp_path: Path) -> Any:
    """Take a capture of the peer."""
    return capture.captured(sides, PAIRING, "PerfTest", tmp_path)


def test_own_and_wire_stand_side_by_side(tmp_path: Path) -> None:
    """The tool's own quantiles, those of the capture, what was matched and what was dropped."""
    found = take(FakeSides([False, True, True], dataclasses.replace(AT, port=recorded_port("perftest"))), tmp_path)
    assert (found.side, found.own_p50_ns, found.own_p99_ns, found.dropped) == ("PerfTest", 3_000_000, 5_000_000, 1)
    assert found.messages >= 8
    assert 50_000 < found.wire_p50_ns <= found.wire_p99_ns


def test_a_tool_that_never_measured_has_no_capture(tmp_path: Path) -> None:
    """The message says what to change."""
    with pytest.raises(PeerError, match="give w a longer duration"):
        take(FakeSides([False, False]), tmp_path)


def test_a_capture_without_messages_is_told(tmp_path: Path) -> None:
    """Another port than that of the broker shows nothing."""
    with pytest.raises(SniffError, match="shows no message"):
        take(FakeSides([True], dataclasses.replace(AT, port=1)), tmp_path)


@pytest.mark.parametrize("host", ["192.0.2.1", "broker.example"])
def test_only_the_loopback_interface_is_captured(tmp_path: Path, host: str) -> None:
    """A broker elsewhere is named."""
    with pytest.raises(SniffError, match=f"the broker is at {host}"):
        take(FakeSides([True], dataclasses.replace(AT, host=host)), tmp_path)
