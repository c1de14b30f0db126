"""`bench.ceiling.host_noise` and `round_trips`: alike sides are measured in turn, and what breaks is told."""

import pytest

from bench.ceiling import host_noise
from bench.ceiling.host_noise import asked, judged, look_at_noise
from bench.ceiling.measure import PeerFailed
from bench.ceiling.round_trips import IN_FLIGHT, LoopSlice
from bench.host.canary import CanaryReading


@pytest.mark.compiled
def test_two_alike_loops_are_measured_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Over real relays: every figure is there, and by Little's law so many messages are on their way."""
    monkeypatch.setattr(host_noise, "SLICE_S", 0.1)
    told: list[int] = []
    found = look_at_noise(told.append, pairs=2)
    assert told == [0, 1]
    assert found.resolutions.keys() == {"p50", "p99", "achieved_rate"}
    assert all(one.n == 2 for one in found.resolutions.values())
    assert 0 < found.figures["p50"] <= found.figures["p99"]
    # The rate counts the wait for the last messages; the mean lies above the median where the tail is long.
    assert found.figures["achieved_rate"] * found.figures["p50"] / 1e9 < 2 * IN_FLIGHT


def test_sides_are_told_apart_whoever_was_first() -> None:
    """A side that is slower by half is slower in every pair, and its rate lower."""
    pairs = [(_slice(100 + k), _slice(150 + 1.5 * k)) for k in range(5)]
    found = judged(pairs, [CanaryReading(100, 0.0), CanaryReading(104, 0.3)])
    assert found.resolutions["p50"].bias == pytest.approx(0.405, abs=0.001)
    assert found.speed == pytest.approx(0.04)
    assert found.waited == 0.3


def _slice(p50: float) -> LoopSlice:
    return LoopSlice(p50_ns=p50, p99_ns=3 * p50, rate=1e9 / p50)


@pytest.mark.parametrize("program", ["exit 1", "exec 0<&-; sleep 0.2", "read line; exit 1"])
def test_a_loop_that_ends_is_told(program: str) -> None:
    """Whether it ended before it was asked or while it was; and it is gone afterwards."""
    with asked(["sh", "-c", program]) as side, pytest.raises(PeerFailed, match="ended early"):
        side.measure()


def test_a_loop_that_hangs_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not waited for without end."""
    monkeypatch.setattr(host_noise, "ANSWER_S", 0.1)
    with asked(["cat", "/dev/null", "-"]) as side, pytest.raises(PeerFailed, match="did not answer"):
        side.answer()
