"""What is recorded of the host's pauses in a trial. Pure."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from bench.drivers.base import Int64
from bench.pauses.filter import Marks
from bench.pauses.watch import PauseWatch
from bench.results.records import PAUSE_COLUMNS, PauseRecord
from bench.stats.crossing import Crossing, crossing
from bench.units import NS_PER_S

LOST_SIGHT = "the pause meter fell behind or ended, so that nothing is known of the host's pauses"


def pause_record(
    seen: PauseWatch, crossings: Sequence[Marks], span_ns: tuple[int, int], steal_share: float | None
) -> PauseRecord:
    """Describe the pauses of the measured part.

    Args:
        seen: what the conductor saw.
        crossings: what each consumer saw; empty where one lost sight of the meter.
        span_ns: begin and end of the measured part.
        steal_share: of CPU time, as the hypervisor says; None where unknown.
    """
    first_ns, last_ns = span_ns
    away = away_ns(seen.pauses(), span_ns)
    length_ns = max(last_ns - first_ns, 1)
    # In a closed loop as many are on their way as the bound says, whatever the host does.
    found = None if seen.drain is None or not crossings else _crossing(crossings, span_ns)
    return PauseRecord(
        fifo=seen.fifo,
        cpus=seen.cpus,
        count=len(away),
        away_share=float(away.sum()) / length_ns / seen.cpus,
        longest_ns=int(away.max(initial=0)),
        clean_s=seen.marks().clean_ns(first_ns, last_ns) / NS_PER_S,
        drain=seen.drain,
        cpu_share=seen.cpu_share,
        steal_share=steal_share,
        crossing=None if found is None else found.ratio,
        crossing_low=None if found is None else found.low,
        crossing_high=None if found is None else found.high,
        lost="" if crossings and not seen.lost else LOST_SIGHT,
    )


def away_ns(pauses: Int64, span_ns: tuple[int, int]) -> Int64:
    """Return how much of each pause lies in a span, of those that touch it."""
    begin, end = pauses[:, 1].clip(*span_ns), pauses[:, 2].clip(*span_ns)
    away: Int64 = (end - begin)[end > begin]
    return away


def _crossing(seen: Sequence[Marks], span_ns: tuple[int, int]) -> Crossing | None:
    """Compare pauses with probes, those alone that lie in clean time; consumers' counts add up."""
    longest = max(seen, key=lambda marks: len(marks.begin_ns))
    on_way = np.zeros(len(longest.begin_ns), np.int64)
    for marks in seen:  # they saw the same, some of them not to the end
        on_way[: len(marks.crossed)] += marks.crossed
    clear_before = np.concatenate([[0], longest.clear_ns[:-1]])
    chosen = (longest.begin_ns >= clear_before) & (longest.begin_ns >= span_ns[0]) & (longest.begin_ns < span_ns[1])
    block = (longest.begin_ns[chosen] - span_ns[0]) // NS_PER_S
    return crossing(block, longest.is_pause[chosen], on_way[chosen])


def pause_frame(pauses: Int64, start_ns: int) -> pd.DataFrame:
    """Return every pause of a trial, columns as in PAUSE_COLUMNS."""
    return pd.DataFrame(pauses - np.array([0, start_ns, start_ns]), columns=list(PAUSE_COLUMNS))
