"""Estimates without the host's pauses find what an undisturbed host would have shown; the obvious other ways do not.

Each case is simulated exactly, with the host's pauses and without; the meter sees what a real one would. Runs
are pooled, as those of a row are. See `tests/laws/pauses_simulated.py`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest

from bench.drivers.base import Deliveries, Int64
from bench.pauses.board import ENTRIES
from bench.pauses.filter import Marks, Meter
from bench.record.account import Account, ConsumerLog, account
from bench.record.buckets import BUCKETS, highest_ns
from bench.stats.crossing import crossing
from bench.stats.ratio import Pair, Verdict, compare
from bench.stats.survival import Survival, kaplan_meier
from bench.units import NS_PER_MS, NS_PER_S
from tests.laws.pauses_simulated import NONE, Float, Holes, delayed, every, metered, pauses, served

pytestmark = pytest.mark.compiled

LENGTH_S = 20.0
RATE = 2000.0
SERVICE_NS = NS_PER_S / 10_000
DRAIN = 0.2 / 0.8
RUNS = 100
AT_MS = (1, 10, 40, 70)
KINDS = ("a stall of 80 ms each second", "one stall of 1 s", "lognormal")
PAUSES = ((0.01, 2, 30), (0.03, 2, 30), (0.05, 2, 30))
_SPREAD = np.log(20) / 2.3263
"""Of the logarithms, so that p50 is 5 ms and p99 100 ms."""


@dataclass(frozen=True)
class Simulated:
    """One run: when messages were due and ended on a host with pauses, and what they took without them."""

    due: Float
    done: Float
    truth: Float
    host: Holes
    board: Int64
    drain: float


def simulate(kind: str, host: Holes, seed: int, length_s: float = LENGTH_S) -> Simulated:
    """Run a broker of that kind on a host with such pauses."""
    rng = np.random.default_rng(seed)
    due = np.sort(rng.uniform(0, length_s * NS_PER_S, int(RATE * length_s)))
    board = metered(host, length_s + 5, seed)
    if kind == "lognormal":
        latency = 5 * NS_PER_MS * np.exp(_SPREAD * rng.standard_normal(len(due)))
        return Simulated(due, delayed(due, latency, host), latency, host, board, 0.0)
    phase = rng.uniform(2000, 15_000)
    stalls = every(1000, 80, LENGTH_S + 5, phase % 1000) if "each" in kind else every(20_000, 1000, LENGTH_S + 5, phase)
    # Stalls are the broker's own doing, and take place in the time that it has.
    lasted = float(host.inside(np.array(LENGTH_S * NS_PER_S)))
    quiet = np.sort(rng.uniform(0, lasted, int(RATE * lasted / NS_PER_S)))
    truth = served(quiet, SERVICE_NS, stalls, NONE) - quiet
    return Simulated(due, served(due, SERVICE_NS, stalls, host), truth, host, board, DRAIN)


def recorded(run: Simulated) -> Account:
    """Put a run through a consumer's log and its filter, in batches."""
    order = np.argsort(run.done, kind="stable")
    due, done = run.due[order].astype(np.int64), run.done[order].astype(np.int64)
    log = ConsumerLog(1, 1, 1, 0, closed=False, meter=Meter(run.board, run.drain))
    none = np.zeros(len(due), np.int64)
    for begin in range(0, len(due), 1000):
        rows = slice(begin, begin + 1000)
        log.received(
            Deliveries(
                none[rows], none[rows], order[rows].astype(np.int64), due[rows], due[rows], done[rows], none[rows]
            )
        )
    return account(None, log, {})


def pooled(accounts: Iterator[Account]) -> Survival:
    """Return one estimate of several runs."""
    counts = np.zeros((2, BUCKETS), np.int64)
    for one in accounts:
        for row, tag in zip(counts, ("response_events", "response_censored"), strict=True):
            if tag in one.latencies:
                np.add.at(row, one.latencies[tag].index, one.latencies[tag].count)
    return kaplan_meier(highest_ns(np.arange(BUCKETS)), counts[0], counts[1])


def misses(above: Callable[[float], float], quantile: Callable[[float], float], truth: Float) -> dict[str, float]:
    """Return the shares above some values, and p50 and p99, over the truth: those that are more than 5 % off."""
    ratios = {f"S({at} ms)": above(at * NS_PER_MS) / float((truth > at * NS_PER_MS).mean()) for at in AT_MS}
    ratios |= {name: quantile(at) / float(np.quantile(truth, at)) for name, at in (("p50", 0.5), ("p99", 0.99))}
    return {name: ratio for name, ratio in ratios.items() if not abs(ratio - 1) < 0.05}


def misses_of(values: Float, truth: Float) -> dict[str, float]:
    """Return what plain values miss, as `misses` does; all of it where there are none."""
    if not len(values):
        return misses(lambda _: np.nan, lambda _: np.nan, truth)
    return misses(lambda at: float((values > at).mean()), lambda at: float(np.quantile(values, at)), truth)


@cache
def runs(kind: str, share: float, shortest_ms: float, longest_ms: float, count: int = RUNS) -> list[Simulated]:
    """Return runs of one kind under pauses of one kind."""
    made = (pauses(share, shortest_ms, longest_ms, LENGTH_S + 5, seed + 100) for seed in range(count))
    return [simulate(kind, host, seed) for seed, host in enumerate(made)]


@cache
def estimate_of(kind: str, share: float, shortest_ms: float, longest_ms: float) -> dict[str, float]:
    """Return what the estimate of these runs misses."""
    made = runs(kind, share, shortest_ms, longest_ms)
    found = pooled(recorded(run) for run in made)
    return misses(found.above, found.quantile, np.concatenate([run.truth for run in made]))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("share", "shortest_ms", "longest_ms"), PAUSES)
def test_estimates_find_the_undisturbed_truth(kind: str, share: float, shortest_ms: float, longest_ms: float) -> None:
    """Shares and quantiles lie within 5 % of the truth; those of all messages do not."""
    assert estimate_of(kind, share, shortest_ms, longest_ms) == {}
    made = runs(kind, share, shortest_ms, longest_ms)
    truth = np.concatenate([run.truth for run in made])
    if share > 0.01:
        assert misses_of(np.concatenate([run.done - run.due for run in made]), truth)


def test_gaps_too_short_to_be_seen_leave_a_known_rest() -> None:
    """Of gaps of 1 ms half are not seen: quantiles stay within 5 %, and shares near the end of a stall are 12 % off."""
    assert estimate_of("lognormal", 0.03, 1, 1.0001) == {}
    left = estimate_of("a stall of 80 ms each second", 0.03, 1, 1.0001)
    assert set(left) <= {"S(1 ms)", "S(70 ms)"}
    assert all(0.95 < ratio < 1.2 for ratio in left.values())


def _untouched(run: Simulated) -> Float:
    """Messages whose life meets no pause."""
    before = np.searchsorted(run.host.end, run.due)
    begins = np.append(run.host.begin, np.inf)
    return (run.done - run.due)[begins[before] > run.done]


def _idle_drain(run: Simulated) -> Float:
    """Messages that began after a pause only once the broker had nothing to do any more, and met no pause."""
    order = np.sort(run.done)
    kept = np.ones(len(run.due), bool)
    for begin, end in zip(run.host.begin, run.host.end, strict=True):
        waiting = np.searchsorted(run.due, np.append(run.due[run.due > end], np.inf)) - np.searchsorted(
            order, np.append(run.due[run.due > end], np.inf)
        )
        after = run.due[run.due > end]
        idle = after[np.flatnonzero(waiting[:-1] == 0)[0]] if (waiting[:-1] == 0).any() else np.inf
        kept &= ~((run.due >= begin) & (run.due < idle))
    before = np.searchsorted(run.host.end, run.due)
    begins = np.append(run.host.begin, np.inf)
    return (run.done - run.due)[kept & (begins[before] > run.done)]


def _own_lateness(run: Simulated) -> Float:
    """Messages of the milliseconds in which a client beside the broker was on time: it waits for the same broker."""
    late = np.flatnonzero(run.done - run.due > 20 * NS_PER_MS)
    windows = np.unique(run.due[late] // (100 * NS_PER_MS))
    return (run.done - run.due)[~np.isin(run.due // (100 * NS_PER_MS), windows)]


def _whole_seconds(run: Simulated) -> Float:
    """Messages of the seconds without a pause."""
    seconds = np.unique(np.concatenate([run.host.begin, run.host.end]) // NS_PER_S)
    return (run.done - run.due)[~np.isin(run.due // NS_PER_S, seconds)]


@pytest.mark.parametrize(
    ("other", "kind"),
    [
        (_untouched, "lognormal"),
        (_idle_drain, "one stall of 1 s"),
        (_own_lateness, "a stall of 80 ms each second"),
        (_whole_seconds, "one stall of 1 s"),
    ],
)
def test_the_obvious_ways_fail_where_the_estimate_holds(other: Callable[[Simulated], Float], kind: str) -> None:
    """On the same runs, by the same test, each of them misses a share or a quantile, or has nothing left."""
    assert estimate_of(kind, 0.03, 2, 30) == {}
    made = runs(kind, 0.03, 2, 30)
    assert misses_of(np.concatenate([other(run) for run in made]), np.concatenate([run.truth for run in made]))


def _on_way(run: Simulated, seed: int) -> tuple[Int64, np.ndarray, Int64]:
    marks = recorded(run).marks
    assert isinstance(marks, Marks)
    clear = marks.begin_ns >= np.concatenate([[0], marks.clear_ns[:-1]])
    chosen = clear & (marks.begin_ns < LENGTH_S * NS_PER_S)
    block = marks.begin_ns[chosen] // NS_PER_S + seed * 1000
    return block, marks.is_pause[chosen], marks.crossed[chosen]


def _crossing(made: list[Simulated]) -> tuple[float, bool]:
    parts = [_on_way(run, seed) for seed, run in enumerate(made)]
    found = crossing(*(np.concatenate(column) for column in zip(*parts, strict=True)))
    assert found is not None
    return found.ratio, found.independent


def test_pauses_that_come_when_the_broker_stalls_are_noticed() -> None:
    """Pauses three times likelier within stalls: the ratio lies far above 1, and its interval excludes it."""
    made = []
    for seed in range(20):
        often, seldom = (pauses(share, 2, 30, LENGTH_S + 5, seed + at) for share, at in ((0.09, 100), (0.03, 200)))
        within = every(1000, 200, LENGTH_S + 5, 300)
        in_stall, in_rest = (
            np.searchsorted(within.begin, one.begin, side="right") > np.searchsorted(within.end, one.begin)
            for one in (often, seldom)
        )
        begins = np.concatenate([often.begin[in_stall], seldom.begin[~in_rest]])
        ends = np.concatenate([often.end[in_stall], seldom.end[~in_rest]])
        rows = sorted(zip(begins, ends, strict=True))
        begin = np.array([one for one, _ in rows])
        end = np.minimum(np.array([one for _, one in rows]), np.append(begin[1:] - 2 * NS_PER_MS, np.inf))
        host = Holes(begin[end > begin], end[end > begin])
        due = np.arange(0, LENGTH_S * NS_PER_S, NS_PER_S / RATE)
        # The broker stalls by the clock here, so that its stalls stay where pauses are likelier.
        latency = np.where(np.mod(due / NS_PER_MS - 300, 1000) < 200, 100 * NS_PER_MS, 2 * NS_PER_MS)
        board = metered(host, LENGTH_S + 5, seed)
        made.append(Simulated(due, delayed(due, latency, host), latency, host, board, 0.0))
    ratio, independent = _crossing(made)
    assert ratio > 1.4
    assert not independent


@pytest.mark.parametrize("kind", KINDS)
def test_pauses_without_regard_to_the_broker_pass(kind: str) -> None:
    """The ratio is near 1, and its interval holds it."""
    ratio, independent = _crossing(runs(kind, 0.03, 2, 30)[:20])
    assert independent
    assert 0.7 < ratio < 1.4


def test_the_board_of_the_simulation_is_what_a_meter_writes() -> None:
    """Entries stand in the order of their ends, pauses are at least half a millisecond late, probes are no pauses."""
    host = pauses(0.05, 2, 30, LENGTH_S, 1)
    row = metered(host, LENGTH_S, 1)[1]
    entries = row[ENTRIES:].reshape(-1, 2)
    entries = entries[entries[:, 1] > 0]
    assert (np.diff(entries[:, 0]) >= 0).all()
    seen = entries[entries[:, 1] > entries[:, 0]]
    assert len(seen) > 0.9 * len(host.begin)
    assert (seen[:, 1] - seen[:, 0] >= NS_PER_MS).all()


def _alarms(comparisons: int) -> int:
    """Return how many comparisons of a broker with itself, ten pairs of 4 s each at 3 % of pauses, call it unlike."""
    found = 0
    for number in range(comparisons):
        sides: list[list[float]] = [[], []]
        for trial in range(20):
            seed = 10_000 + 20 * number + trial
            run = simulate("lognormal", pauses(0.03, 2, 30, 9.0, seed), seed, 4.0)
            sides[trial % 2].append(pooled(iter([recorded(run)])).quantile(0.99))
        verdict = compare(Pair(*sides), delta=0).verdict
        found += verdict in {Verdict.BETTER, Verdict.WORSE}
    return found


def test_a_broker_beside_itself_raises_alarms_at_the_nominal_rate() -> None:
    """Through the whole filter: about one comparison in twenty, as the interval promises."""
    assert _alarms(40) <= 7


@pytest.mark.soak
def test_a_broker_beside_itself_in_three_hundred_comparisons() -> None:
    """The same with a bound on either side: 15 are expected."""
    assert 4 <= _alarms(300) <= 28
