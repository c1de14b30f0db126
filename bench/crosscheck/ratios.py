"""From readings to medians and ratios. Pure."""

from collections.abc import Sequence
from statistics import median

from bench.crosscheck.readings import Medians, Ratio, Reading
from bench.stats.ratio import Pair, compare

FIGURES = {
    "received_per_s": "rate held",
    "p50_ns": "p50",
    "p99_ns": "p99",
    "cpu_us_per_message": "client CPU",
    "rss_peak": "client memory",
    "broker_cpu_us_per_message": "broker CPU",
}
"""Fields of a reading that are compared, with words for people."""
LEAST_PAIRS = 3
"""Fewer pairs give no interval."""


def order(sides: Sequence[str], pair: int) -> tuple[str, ...]:
    """Return the order of the sides in a pair: forwards and backwards in turn, which cancels linear drift."""
    return tuple(sides if pair % 2 else reversed(sides))


def medians(readings: Sequence[Reading], side: str, version: str) -> Medians:
    """Return the medians of a side over the counted pairs."""
    counted = _counted(readings, side)
    cpu, rss = _known(counted, "cpu_us_per_message"), _known(counted, "rss_peak")
    of_broker = _known(counted, "broker_cpu_us_per_message")
    return Medians(
        side=side,
        version=version,
        sent_per_s=median(one.sent_per_s for one in counted),
        received_per_s=median(one.received_per_s for one in counted),
        p50_ns=median(one.p50_ns for one in counted),
        p99_ns=median(one.p99_ns for one in counted),
        cpu_us_per_message=median(cpu) if cpu else None,
        rss_peak=median(rss) if rss else None,
        broker_cpu_us_per_message=median(of_broker) if of_broker else None,
    )


def ratios(readings: Sequence[Reading], driver: str, peer: str) -> tuple[Ratio, ...]:
    """Return driver over peer for each figure that every counted pair has, and has above 0."""
    found = []
    for figure in FIGURES:
        ours, theirs = (_known(_counted(readings, side), figure) for side in (driver, peer))
        if len(ours) != len(theirs) or not ours or min(*ours, *theirs) <= 0:
            continue
        result = compare(Pair(ours, theirs))
        sure = result.n >= LEAST_PAIRS
        found.append(
            Ratio(
                driver=driver,
                figure=figure,
                ratio=result.ratio,
                low=result.low if sure else None,
                high=result.high if sure else None,
            )
        )
    return tuple(found)


def _counted(readings: Sequence[Reading], side: str) -> list[Reading]:
    """Return the counted readings of a side in order of their pairs."""
    return sorted((one for one in readings if one.side == side and one.pair), key=lambda one: one.pair)


def _known(readings: Sequence[Reading], figure: str) -> list[float]:
    return [float(value) for one in readings if (value := getattr(one, figure)) is not None]
