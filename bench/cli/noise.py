"""`bench doctor --noise`: which effects this host can decide, in words, in half a minute."""

import os
import time
from typing import NoReturn

import typer
from rich.status import Status

from bench.ceiling.host_noise import PAIRS, SLICE_S, HostNoise, look_at_noise
from bench.ceiling.measure import PeerFailed
from bench.ceiling.round_trips import IN_FLIGHT
from bench.cli.console import EXIT_FAILED, EXIT_INVALID, err, fail, out, print_table, tell
from bench.pauses.meter import PauseMeter
from bench.pauses.outlook import LOOK_S, look
from bench.results.base import Record
from bench.stats.resolution import MOST_PAIRS, Resolution
from bench.units import NS_PER_MS, percent, time_words
from brokers.places.limits import root_group
from reports.cases import MIN_CPUS
from reports.gate.budget import Limit, read_budget
from reports.gate.metrics import METRICS

TOTAL_S = 35.0
"""About as long as all of it takes, the start of processes included."""
_SHIFTS = 0.025
"""How far the canary may be off before it is said to be."""


class NoiseLine(Record):
    """What this host can decide of one metric; shares are such that 0.05 is 5 %."""

    metric: str
    alike_pairs: int
    """Pairs of alike slices that were looked at."""
    spread: float
    """Standard deviation of the logarithm of a pair's ratio."""
    bias: float
    """How far the alike sides differed on average, as a share; 0 where that may be chance."""
    smallest: float
    """The smallest change that so many pairs decide."""
    effect: float
    """The change that is to be decided."""
    pairs_needed: int | None
    """Pairs that decide it; None where even `MOST_PAIRS` would not."""
    enough: bool
    """Whether the pairs that are planned decide it."""
    gated: bool
    """Whether a gate decides by it here: by throughput it does not on few CPUs."""


class NoiseReport(Record):
    """What `bench doctor --noise --json` prints."""

    pauses: str
    canary_speed: float
    """How far the readings of a fixed computation were apart, as a share."""
    canary_waited: float
    """The largest share of a reading in which others had our CPU."""
    pairs: int
    """Pairs that a gate is planned with."""
    lines: tuple[NoiseLine, ...]
    decides: bool
    """Whether every effect that was asked for, of a metric that is gated here, can be decided with them."""
    sentence: str


def noise(effect: float | None, pairs: int, *, json: bool) -> NoReturn:
    """Look, say what was seen, and leave: 0 where every effect can be decided, 3 where one cannot.

    Args:
        effect: to be decided, as a share, of every metric; None = those of the gate's built-in budget.
        pairs: that a gate would make.
        json: print a `NoiseReport` instead of words.
    """
    begun = time.monotonic()
    if not err.is_terminal:
        err.print(f"watching this host, about {time_words(TOTAL_S)}")
    try:
        with err.status(_progress("pauses", begun)) as status:
            pauses = _pauses()
            status.update(_progress("starting two closed loops", begun))
            seen = look_at_noise(lambda number: _tell(status, number))
    except PeerFailed as error:
        fail(EXIT_FAILED, str(error))
    found = noise_report(seen, pauses, effect, pairs, os.cpu_count() or 0)
    if json:
        out.print(found.model_dump_json(indent=1))
    else:
        print_noise(found, seen)
    raise typer.Exit(0 if found.decides else EXIT_INVALID)


def _pauses() -> str:
    with PauseMeter(root_group()) as meter:
        return look(meter, LOOK_S)


def _progress(what: str, begun: float) -> str:
    return f"{what}, {time_words(max(1.0, TOTAL_S - (time.monotonic() - begun)))} left"


def _tell(status: Status, number: int) -> None:
    left_s = (PAIRS - number) * 2 * SLICE_S
    status.update(f"closed loop beside itself: pair {number + 1} of {PAIRS}, {time_words(left_s)} left")


def noise_report(seen: HostNoise, pauses: str, effect: float | None, pairs: int, cpus: int) -> NoiseReport:
    """Return what was seen on a host of so many CPUs, held against the effects that are to be decided; see `noise`."""
    budget: dict[str, float] = {
        limit.metric: limit.threshold(None) for limit in read_budget(None).limits if isinstance(limit, Limit)
    }
    lines = tuple(
        _line(metric, one, budget[metric] if effect is None else effect, pairs, cpus=cpus)
        for metric, one in seen.resolutions.items()
    )
    return NoiseReport(
        pauses=pauses,
        canary_speed=seen.speed,
        canary_waited=seen.waited,
        pairs=pairs,
        lines=lines,
        decides=all(line.enough for line in lines if line.gated),
        sentence=sentence(tuple(line for line in lines if line.gated), pairs),
    )


def _line(metric: str, one: Resolution, effect: float, pairs: int, *, cpus: int) -> NoiseLine:
    smallest, needed = one.smallest(pairs), one.needed(effect)
    return NoiseLine(
        metric=metric,
        alike_pairs=one.n,
        spread=one.spread,
        bias=one.bias,
        smallest=smallest,
        effect=effect,
        pairs_needed=needed,
        enough=smallest <= effect,
        gated=cpus >= MIN_CPUS or not METRICS[metric].throughput,
    )


def sentence(lines: tuple[NoiseLine, ...], pairs: int) -> str:
    """Return which effects so many pairs decide, and nothing smaller."""
    parts = [f"{line.metric} by {_up(line.smallest)} or more" for line in lines]
    listed = f"{', '.join(parts[:-1])} and {parts[-1]}"
    return f"With {pairs} pairs this host decides a change of {listed}; nothing smaller."


def remedy(line: NoiseLine) -> str:
    """Return what a host that is too noisy for an effect would need."""
    wanted = f"{line.metric}: a change of {percent(line.effect)}"
    if line.pairs_needed is None:
        return f"{wanted} takes more than {MOST_PAIRS} pairs: choose a quieter host, or look for larger changes"
    return f"{wanted} needs {line.pairs_needed} pairs here (--pairs {line.pairs_needed})"


def print_noise(found: NoiseReport, seen: HostNoise) -> None:
    """Print a report for people, the answer last."""
    out.print(f"pauses: {found.pauses}")
    steady = "the CPU's speed is steady" if found.canary_speed <= _SHIFTS else "the CPU's speed is not steady"
    out.print(
        f"canary: {steady}, {percent(found.canary_speed)} between {PAIRS} readings;"
        f" others had our CPU up to {percent(found.canary_waited)} of the time"
    )
    out.print(
        f"closed loop beside itself: {PAIRS} pairs of {time_words(SLICE_S)}, {IN_FLIGHT} messages on their way through"
        " a relay on loopback\n"
    )
    print_table(
        [
            ("metric", "mean", "alike pairs differ by", "sides differ by", f"{found.pairs} pairs decide", "pairs for"),
            *(
                (
                    line.metric,
                    _figure(line.metric, seen.figures[line.metric]),
                    percent(line.spread),
                    percent(line.bias) if line.bias else "chance",
                    _up(line.smallest),
                    f"{percent(line.effect)}: {line.pairs_needed or f'over {MOST_PAIRS}'}",
                )
                for line in found.lines
            ),
        ]
    )
    out.print(
        "\nThis is of trials of half a second. Longer ones differ less where the noise is short, and not where the host"
        "\nchanges from minute to minute; and of how hosts differ from each other nothing is known from one."
    )
    if not all(line.gated for line in found.lines):
        out.print(f"Throughput is gated on hosts of {MIN_CPUS} CPUs and more, so achieved_rate does not count here.")
    for line in found.lines:
        if line.gated and not line.enough:
            tell(remedy(line), kind="too noisy")
    out.print(found.sentence)


def _figure(metric: str, value: float) -> str:
    return f"{value / NS_PER_MS:.3f} ms" if METRICS[metric].of_latency else f"{value:,.0f} msg/s"


def _up(share: float) -> str:
    """Return a share as a percentage of two digits, rounded up: what is smaller is not promised."""
    digits = 1 if share < 0.1 else 0  # noqa: PLR2004  (from 10 % on whole ones are two digits)
    steps = 10**digits
    return f"{-(-share * 100 * steps // 1) / steps:.{digits}f} %"
