"""Cost: what is divided by what, and what stays unknown."""

import pytest

from bench.run.cost import cost
from bench.run.slow_telemetry import SlowSample
from bench.run.telemetry import Sample
from bench.units import NS_PER_S


def samples(*, broker: bool = True) -> list[Sample]:
    """Return ten seconds in which everything grows evenly, with a peak of memory in the sixth."""
    return [
        Sample(
            at_ns=tick * NS_PER_S // 10,
            broker_cpu_s=tick * 0.05 if broker else None,
            broker_rss=(900 if tick == 55 else 500 + tick) if broker else None,
            client_cpu_s=tick * 0.02,
            client_rss=300,
            worker_cpu_s=(),
            steal_s=0.0,
            total_s=1.0,
            broker_threads=40 if broker else None,
            client_threads=6,
            broker_disk_read=0 if broker else None,
            broker_disk_written=tick * 4096 if broker else None,
            client_disk_read=None,
            client_disk_written=0,
        )
        for tick in range(101)
    ]


def slow_samples(*, broker: bool = True) -> list[SlowSample]:
    """Return looks at each of ten seconds."""
    return [
        SlowSample(
            at_ns=second * NS_PER_S,
            broker_voluntary=second * 2_000 if broker else None,
            broker_involuntary=second * 100 if broker else None,
            client_voluntary=second * 500,
            client_involuntary=0,
            data_bytes=1_000_000 - second if broker else None,
            depth=0,
        )
        for second in range(11)
    ]


def test_costs_are_those_of_the_measured_part() -> None:
    """Five seconds of ten, 1,000 messages a second; the wire over the whole trial, by messages sent."""
    found = cost(
        samples(), slow_samples(), {"bytes_in": 2_000, "bytes_out": 3_000}, 0, range(2, 7), messages=5_000, sent=10
    )
    assert found is not None
    assert found.broker.cpu_s_per_million == pytest.approx(0.5 * 1e6 / 1_000)
    assert (found.broker.rss_peak, found.broker.threads_peak) == (900, 40)
    assert found.broker.disk_written_per_message == pytest.approx(40.96)
    assert found.broker.disk_read_per_message == 0
    assert found.broker.voluntary_switches_per_message == pytest.approx(2)
    assert found.broker.involuntary_switches_per_message == pytest.approx(0.1)
    assert found.client.cpu_s_per_million == pytest.approx(200)
    assert found.client.disk_read_per_message is None
    assert found.data_peak == 1_000_000 - 2
    assert (found.wire_to_broker_per_message, found.wire_from_broker_per_message) == (300, 200)


def test_what_cannot_be_seen_costs_nothing_known() -> None:
    """An external broker has no cost, a driver without counters no bytes; without messages nothing is divided."""
    found = cost(samples(broker=False), slow_samples(broker=False), {}, 0, range(2, 7), messages=0, sent=0)
    assert found is not None
    assert set(found.broker.model_dump().values()) == {None}
    assert (found.client.cpu_s_per_million, found.client.rss_peak) == (None, 300)
    assert (found.data_peak, found.wire_to_broker_per_message) == (None, None)


def test_a_trial_that_was_cut_before_it_was_measured_has_no_cost_a_message() -> None:
    """Nor one on virtual time any at all."""
    found = cost(samples(), slow_samples(), {}, 0, range(3, 3), messages=5, sent=5)
    assert found is not None
    assert found.broker.cpu_s_per_million is None
    assert cost((), (), {}, 0, range(1, 2), messages=5, sent=5) is None
