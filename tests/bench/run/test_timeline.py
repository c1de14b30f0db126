"""Usage on the axis of a trial: what workers used, and how much of it was of use."""

import numpy as np
import pytest

from bench.run.telemetry import Sample
from bench.run.timeline import busiest, usage
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
