"""The last minute of a trial: rates, quantiles and pauses by the second."""

import math
from dataclasses import replace

import numpy as np
import pytest

from bench.cli.recent import AWAY_S, KEPT, Recent, away
from bench.units import NS_PER_MS
from tests.bench.cli.watched import BEGIN_NS, RATE, live, remembered, trial

AWAY_NS = 40 * NS_PER_MS


def test_seconds_are_those_of_the_load() -> None:
    """Before it begins there are none; then each says what passed in it."""
    found = remembered(trial(5))
    assert found.taken == len(found.seconds) == 5
    for second in found.seconds:
        assert second.offered == pytest.approx(RATE, rel=1e-6)
        assert second.received == pytest.approx(RATE, rel=0.01)
        assert (second.backlog, second.p50_ns, second.p99_ns) == (3, 400_000, 2 * NS_PER_MS)
        assert (second.broker_cores, second.client_cores) == pytest.approx((0.5, 0.25))
        assert (second.away, second.longest_ns) == (0, 0)


def test_a_minute_is_kept() -> None:
    """And how many there were is known."""
    found = remembered(trial(KEPT + 10))
    assert (len(found.seconds), found.taken) == (KEPT, KEPT + 10)


def test_counts_are_as_old_as_workers_say() -> None:
    """A steady load is steady, and has no backlog, whenever within their 40 ms workers last showed their counts."""
    found = Recent()
    random = np.random.default_rng(1)
    for tick in range(101):
        seen = live(tick / 10)
        produced_ns, consumed_ns = (seen.at_ns - int(random.integers(40 * NS_PER_MS)) for _ in range(2))
        due, received = ((at_ns - BEGIN_NS) * RATE // 10**9 for at_ns in (produced_ns, consumed_ns))
        due, received = max(0, due), max(0, received)
        totals = replace(seen.totals, due=due, sent=due, owed=due, received=received)
        found.take(replace(seen, totals=totals, produced_ns=produced_ns, consumed_ns=consumed_ns))
    for second in found.seconds:
        assert second.offered == pytest.approx(RATE, rel=0.003)
        assert second.received == pytest.approx(RATE, rel=0.003)
        assert second.backlog <= 1


def test_what_is_not_known_is_not_a_number() -> None:
    """A broker of someone else's, a second without messages, a host without a meter, workers that show nothing."""
    seen = [live(tick / 10) for tick in range(21)]
    blind = [
        replace(
            one,
            metered_cpus=0,
            produced_ns=0,
            consumed_ns=0,
            sample=replace(one.sample, broker_cpu_s=None),
            totals=replace(one.totals, p50_ns=0, p99_ns=0),
        )
        for one in seen
    ]
    second = remembered(iter(blind)).seconds[-1]
    assert all(math.isnan(one) for one in (second.p50_ns, second.p99_ns, second.broker_cores, second.away))
    assert (second.offered, second.backlog) == (pytest.approx(RATE), 3)


def test_pauses_are_summed_over_the_last_seconds() -> None:
    """One of 40 ms on one of two CPUs is 0.2 % of ten seconds, and none of them afterwards."""
    found, looked = Recent(), False
    for tick in range(301):
        begin_ns = live(tick / 10).at_ns - AWAY_NS
        pauses = np.array([[1, begin_ns, begin_ns + AWAY_NS]] if tick == 155 else np.empty((0, 3)), np.int64)
        found.take(live(tick / 10, pauses=pauses))
        if found.taken == 16 + AWAY_S - 1:
            share, longest_ns = away(found.seconds)
            assert (share, longest_ns) == (pytest.approx(AWAY_NS / 1e9 / 2 / AWAY_S, rel=1e-3), AWAY_NS)
            looked = True
    assert looked
    assert away(found.seconds) == (0, 0)
    share, longest_ns = away(())
    assert (math.isnan(share), longest_ns) == (True, 0)


def test_the_backlog_is_counted_as_messages() -> None:
    """Of ten copies each, 30 that miss are three messages; where nobody consumes, none is on its way."""
    for owed, received in ((10, 10), (0, 0)):
        lives = [live(tick / 10) for tick in range(21)]
        seen = [
            replace(
                one, totals=replace(one.totals, owed=owed * one.totals.sent, received=received * one.totals.received)
            )
            for one in lives
        ]
        assert remembered(iter(seen)).seconds[-1].backlog == (3 if owed else 0)
