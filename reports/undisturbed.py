"""What latencies would have been had the host not been away, and how far that carries. Pure.

Where a pause meter watched, a trial's percentiles are Kaplan and Meier's estimate over the messages
that no pause touched or cut off (`bench.pauses`, `bench.stats.survival`). Those of all messages stand
beside it. Maximum and mean are always of all messages.
"""

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from bench.record.payload import buckets, estimated
from bench.results.records import PauseRecord, TagRecord, TrialRecord
from bench.stats.survival import LEAST_AT_RISK
from bench.units import NS_PER_MS, percent
from reports.format import number
from reports.quantiles import PERCENTILES, SAMPLES_ABOVE, Distribution

LEAST_EPISODES = 10
"""Separate stalls of a broker that must lie above a percentile for it to be printed."""
_ONE_STALL_NS = 500 * NS_PER_MS
"""A second with a wait of this length is likely to be one stall with the second after it."""
_MOST_PAUSES_A_LIFE = 0.2
"""Pauses in the time that a message of a closed loop takes, from which on its latency tells of the host."""
_NORMAL_95, _NORMAL_99 = 1.960, 2.576


def is_estimated(trial: TrialRecord, tag: str) -> bool:
    """Return whether a latency of a trial can be estimated without the host's pauses."""
    record, pauses = trial.latency[tag], trial.pauses
    return pauses is not None and not pauses.lost and record.events is not None


def rate(trial: TrialRecord) -> float:
    """Return messages received a second; in a closed loop, a second in which the host's CPUs were there.

    An open loop is paced by its schedule, and catches up after a pause. A trial by count is over all of its time: the
    share of pauses stands beside it.
    """
    pauses = trial.pauses
    if trial.phases:
        return trial.achieved_rate
    # Without priority the sleepers also see waits for a CPU that the load itself makes.
    if pauses is None or pauses.lost or not pauses.fifo or pauses.drain is not None or pauses.away_share >= 1:
        return trial.achieved_rate
    return trial.achieved_rate / (1 - pauses.away_share)


def of_trial(record: TagRecord, *, above: int) -> Distribution:
    """Return the estimate of one trial; `above` messages never came, or took longer than a histogram holds.

    One trial of a row needs no more messages than it does without a meter: what is printed is of all of them.
    """
    return pooled([record], above=entering([record], above), least=SAMPLES_ABOVE)


def of_all(record: TagRecord, *, above: int) -> Distribution:
    """Return all messages of a trial."""
    return Distribution.of_buckets(*buckets(record.histogram), below=record.negative, above=above)


def pooled(records: Sequence[TagRecord], *, above: int, least: int = LEAST_AT_RISK) -> Distribution:
    """Return one estimate over several trials, all of which can be estimated; see `Distribution.of_survival`."""
    events, censored = ([getattr(one, name) for one in records] for name in ("events", "censored"))
    return Distribution.of_survival(
        estimated(events, censored, beyond=above), below=sum(one.negative for one in records), least=least
    )


def doubt(trial: TrialRecord, tag: str, median_ns: float) -> str:
    """Return why a closed loop has no latency; empty where it has: it never goes idle, so that nothing is drained."""
    pauses = trial.pauses
    if pauses is None or pauses.drain is not None or not is_estimated(trial, tag) or math.isinf(median_ns):
        return ""
    length_s = max(trial.measure_to_s - trial.measure_from_s, 1)
    a_life = median_ns / 1e9 * pauses.count / length_s
    return "" if a_life <= _MOST_PAUSES_A_LIFE else f"the host was away {number(a_life)} times in the life of a message"


def entering(records: Sequence[TagRecord], above: int) -> int:
    """Return how many of the messages that never came enter an estimate: as large a share as of those that did."""
    came = sum(one.count for one in records)
    # Without one that never came there is nothing to share, and no histogram need be read for that.
    return (
        round(above * sum(one.count * entered(one) for one in records if one.count) / came) if above and came else above
    )


def entered(record: TagRecord) -> float:
    """Return the share of messages that entered an estimate; NaN where there is none or no message."""
    if record.events is None or record.censored is None or not record.count:
        return math.nan
    return min(1.0, sum(int(buckets(text)[1].sum()) for text in (record.events, record.censored)) / record.count)


def episodes(longest_ns: Mapping[int, int], values_ns: Mapping[str, float]) -> dict[str, int]:
    """Return in how many separate episodes a value was exceeded, by percentile.

    An episode is a second of intended time with a longer wait. The second after it is the same one, where
    the wait may have reached into it.

    Args:
        longest_ns: the longest latency of each second.
        values_ns: values of percentiles; NaN = not known.
    """
    seconds = np.array(sorted(longest_ns), np.int64)
    longest = np.array([longest_ns[second] for second in seconds.tolist()], np.float64)
    found = {}
    for name, value in values_ns.items():
        over = longest > value
        goes_on = np.zeros(len(over), bool)
        goes_on[1:] = over[:-1] & (longest[:-1] >= _ONE_STALL_NS) & (np.diff(seconds) == 1)
        found[name] = int((over & ~goes_on).sum())
    return found


def too_few(name: str, counts: Iterable[int], row: Distribution) -> str:
    """Return why a percentile of a row is not printed; empty where it is.

    Args:
        name: of the percentile.
        counts: in how many episodes each trial exceeded its own.
        row: the estimate over all trials.
    """
    total = sum(counts)
    if PERCENTILES[name] > 50 and total < LEAST_EPISODES:  # noqa: PLR2004  (a median is no tail)
        return f"rests on {total} episode{'' if total == 1 else 's'}"
    return "" if row.carries(PERCENTILES[name]) else f"too few seen: fewer than {LEAST_AT_RISK} messages took that long"


def dependence(records: Iterable[PauseRecord]) -> str:
    """Return why a row has no tail, as pauses came when messages waited; empty where nothing speaks for that.

    The trials' ratios are brought together on logarithms, each by the weight of its interval. A report has many rows,
    so that one in a hundred may lose its tail by chance, and not one in twenty.
    """
    logs, weights = [], []
    for one in records:
        low, high, ratio = one.crossing_low, one.crossing_high, one.crossing
        if low and high and ratio and 0 < low < high:
            logs.append(math.log(ratio))
            weights.append((2 * _NORMAL_95 / math.log(high / low)) ** 2)
    if not logs:
        return ""
    mean, error = float(np.average(logs, weights=weights)), 1 / math.sqrt(sum(weights))
    low, high = math.exp(mean - _NORMAL_99 * error), math.exp(mean + _NORMAL_99 * error)
    if low <= 1 <= high:
        return ""
    return (
        f"pauses not independent: as the host went away {number(math.exp(mean))} times as many messages were on their"
        f" way as at other times ({percent(0.99)} interval {number(low)} to {number(high)})"
    )
