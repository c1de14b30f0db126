"""How much a host differs from itself: two relays and two closed loops, alike, in turn, for half a minute.

Each side has processes of its own, as the sides of a gate have: what differs between two alike
processes (where their memory lies, say) is noise too. The canary is read between pairs.
"""

import select
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from bench.ceiling.measure import PeerFailed, piped, relay
from bench.ceiling.round_trips import LoopSlice
from bench.host import canary
from bench.host.canary import CanaryReading
from bench.stats.ratio import Pair
from bench.stats.resolution import Resolution, resolution

PAIRS = 20
SLICE_S = 0.5
LOOP_METRICS = {"p50": "p50_ns", "p99": "p99_ns", "achieved_rate": "rate"}
"""Metrics of the gate that a closed loop has, and where a slice keeps them."""
ANSWER_S = 120
"""Longest wait for an answer: a first start compiles."""
_WARM_SLICES = 2


@dataclass(frozen=True)
class HostNoise:
    """What was seen of a host.

    Attributes:
        resolutions: what can be decided, by metric.
        speed: how far the canary's readings were apart, as a share of the least.
        waited: the largest share of a reading in which others had our CPU.
        figures: the mean figures of a slice, by metric, in ns or messages a second.
    """

    resolutions: dict[str, Resolution]
    speed: float
    waited: float
    figures: dict[str, float]


class LoopSide:
    """One side's process; see `bench.ceiling.round_trips`."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        """Speak with a process that was started."""
        self._process = process

    def answer(self, question: str = "") -> str:
        """Ask, where there is something to ask, and return the line that comes back.

        Raises:
            PeerFailed: the process ended, or does not answer.
        """
        assert self._process.stdin is not None  # noqa: S101  (for the type checker: pipes)
        assert self._process.stdout is not None  # noqa: S101
        try:
            if question:
                self._process.stdin.write(f"{question}\n")
                self._process.stdin.flush()
            readable, _, _ = select.select([self._process.stdout], [], [], ANSWER_S)
            if not readable:
                message = f"the closed loop beside itself did not answer within {ANSWER_S} s"
                raise PeerFailed(message)
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            message = "the closed loop beside itself ended early"
            raise PeerFailed(message)
        return line

    def measure(self) -> LoopSlice:
        """Measure a slice."""
        return LoopSlice.model_validate_json(self.answer(str(SLICE_S)))


@contextmanager
def loop_side() -> Iterator[LoopSide]:
    """Run a relay and a closed loop through it.

    Raises:
        PeerFailed: the relay does not start.
    """
    with relay() as port, asked([sys.executable, "-m", "bench.ceiling.round_trips", str(port)]) as side:
        yield side


@contextmanager
def asked(command: list[str]) -> Iterator[LoopSide]:
    """Run a program that answers line by line, and ends with its input."""
    with piped(command) as process:
        yield LoopSide(process)


def look_at_noise(progress: Callable[[int], None], pairs: int = PAIRS) -> HostNoise:
    """Measure alike sides in turn, in the order ABBA.

    Args:
        progress: is told the number of each pair as it begins, from 0 on.
        pairs: how many.

    Raises:
        PeerFailed: a relay or a loop does not start, or ends.
    """
    canary.warm()
    with ExitStack() as stack:
        sides = [stack.enter_context(loop_side()) for _ in range(2)]
        for side in sides:
            side.answer()
            for _ in range(_WARM_SLICES):
                side.measure()
        found: list[tuple[LoopSlice, LoopSlice]] = []
        readings: list[CanaryReading] = []
        for number in range(pairs):
            progress(number)
            readings.append(canary.take())
            order = sides if number % 2 == 0 else sides[::-1]
            one, other = (side.measure() for side in order)
            found.append((one, other) if order is sides else (other, one))
    return judged(found, readings)


def judged(found: list[tuple[LoopSlice, LoopSlice]], readings: list[CanaryReading]) -> HostNoise:
    """Return what pairs of alike slices and readings of the canary say of a host."""
    resolutions, figures = {}, {}
    for metric, field in LOOP_METRICS.items():
        first, second = ([getattr(pair[side], field) for pair in found] for side in range(2))
        resolutions[metric] = resolution(Pair(first, second), len(LOOP_METRICS))
        figures[metric] = sum([*first, *second]) / (2 * len(found))
    least = min(one.ns for one in readings)
    return HostNoise(
        resolutions,
        speed=max(one.ns for one in readings) / least - 1,
        waited=max(one.waited for one in readings),
        figures=figures,
    )
