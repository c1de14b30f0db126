"""What a trial cost, from its telemetry and what its drivers counted. Pure."""

from collections.abc import Mapping, Sequence

from bench.results.cost import Cost, SideCost
from bench.run.slow_telemetry import SlowSample
from bench.run.telemetry import Sample
from bench.run.timeline import between, peak

_MILLION = 1_000_000


def cost(
    samples: Sequence[Sample],
    slow_samples: Sequence[SlowSample],
    counters: Mapping[str, int],
    start_ns: int,
    measure: range,
    *,
    messages: int,
    sent: int,
) -> Cost | None:
    """Return what a trial cost; None where nothing was sampled.

    Args:
        samples: telemetry in order of time.
        slow_samples: what was sampled once a second, in order of time.
        counters: what drivers counted in the whole trial.
        start_ns: start of the schedule.
        measure: measured seconds after the start.
        messages: received within the measured part.
        sent: in the whole trial.
    """
    if not samples:
        return None
    return Cost(
        messages=messages,
        broker=_side("broker", samples, slow_samples, start_ns, measure, messages),
        client=_side("client", samples, slow_samples, start_ns, measure, messages),
        data_peak=peak(slow_samples, "data_bytes", start_ns, measure),
        wire_to_broker_per_message=_each(counters.get("bytes_out"), sent),
        wire_from_broker_per_message=_each(counters.get("bytes_in"), sent),
    )


def _side(
    side: str,
    samples: Sequence[Sample],
    slow_samples: Sequence[SlowSample],
    start_ns: int,
    measure: range,
    messages: int,
) -> SideCost:
    def used(readings: Sequence[Sample | SlowSample], what: str, unit: int = 1) -> float | None:
        each = _each(between(readings, f"{side}_{what}", start_ns, measure), messages)
        return None if each is None else each * unit

    return SideCost(
        cpu_s_per_million=used(samples, "cpu_s", _MILLION),
        rss_peak=peak(samples, f"{side}_rss", start_ns, measure),
        threads_peak=peak(samples, f"{side}_threads", start_ns, measure),
        disk_read_per_message=used(samples, "disk_read"),
        disk_written_per_message=used(samples, "disk_written"),
        voluntary_switches_per_message=used(slow_samples, "voluntary"),
        involuntary_switches_per_message=used(slow_samples, "involuntary"),
    )


def _each(total: float | None, messages: int) -> float | None:
    return None if total is None or not messages else total / messages
