"""Usage on the axis of a trial: what workers used, and how much of it was of use."""

import numpy as np
import pytest

from bench.results.records import TIMELINE_COLUMNS
from bench.run.slow_telemetry import SlowSample
from bench.run.telemetry import Sample
from bench.run.timeline import busiest, make_timeline, throttled_share, usage
from bench.units import NS_PER_S


def samples(*workers: float) -> list[Sample]:
    """Return two readings, two seconds apart, of workers that used such shares of a core."""
    return [
        Sample(
            at_ns=second * NS_PER_S,
            broker_cpu_s=None,
            broker_rss=None,
            client_cpu_s=second * sum(workers),
            client_rss=1,
            worker_cpu_s=tuple(second * share for share in workers),
            steal_s=0.0,
            total_s=second * 2.0,
        )
        for second in (0, 2)
    ]


@pytest.mark.parametrize(
    ("spun", "share"),
    [
        ((), 0.9),
        ((0.0, 0.0), 0.9),
        ((0.7, 0.0), 0.5),  # the other one is the busiest then
        ((0.3, 0.0), 0.6),
        ((0.3,), 0.9),  # not every worker left an account: nothing is known
    ],
)
def test_busy_waits_are_no_use(spun: tuple[float, ...], share: float) -> None:
    """The busiest worker is the one that put most of a core to use; what it spun away does not count."""
    edges = np.array([0, 2 * NS_PER_S])
    assert busiest(samples(0.9, 0.5), edges, spun) == pytest.approx(share)


def test_busy_waits_stay_in_the_cost() -> None:
    """CPU time a message counts busy waits too: the host paid for them."""
    used = usage(samples(0.9, 0.5), "client", 0, range(2), 1_000, (0.7, 0.0))
    assert used.cpu_cores_busiest == pytest.approx(0.5)
    assert used.cpu_s == pytest.approx(2.8)
    assert used.cpu_us_per_message == pytest.approx(2_800)


def throttled(seconds: float | None) -> list[Sample]:
    """Return readings over four seconds in which a quota took so many."""
    return [
        Sample(tick * NS_PER_S, None, None, 0.0, 0, (), 0.0, 0.0, throttled_s=seconds and tick * seconds / 4)
        for tick in range(5)
    ]


@pytest.mark.parametrize(("seconds", "share"), [(0.2, 0.05), (40.0, 1.0), (0.0, 0.0), (None, None)])
def test_throttling_is_a_share_of_the_measured_part(seconds: float | None, share: float | None) -> None:
    """Never more than all of it; unknown where no group tells."""
    assert throttled_share(throttled(seconds), 0, range(1, 3)) == (share if share is None else pytest.approx(share))


def test_counts_are_spread_over_a_second_and_gauges_are_not() -> None:
    """Switches read once a second belong to its ten ticks; a depth belongs to the tick in which it was asked."""
    start_ns = 5 * NS_PER_S
    slow_samples = [
        SlowSample(start_ns + second * NS_PER_S + 50_000_000, second * 100, 0, second * 10, second, 4096, depth)
        for second, depth in ((-1, 9), (0, 3), (1, None), (2, 5))
    ]
    ticks = {name: np.zeros(20, np.int64) for name in ("offered", "sent", "received", "confirmed", "backlog")}
    frame = make_timeline(ticks, samples(0.5), start_ns, range(2), slow_samples)
    assert list(frame) == list(TIMELINE_COLUMNS)
    assert frame["broker_voluntary"].to_numpy() == pytest.approx(np.full(20, 10.0))
    assert frame["client_involuntary"].sum() == pytest.approx(2.0)
    assert frame["depth"].dropna().to_dict() == {0: 3.0}
    assert frame["data_bytes"].dropna().index.tolist() == [0, 10]
