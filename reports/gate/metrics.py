"""What a gate can decide by, and each trial's figure for it. Pure but for what the dataset holds."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from reports.dataset import Dataset, rows_of
from reports.format import Printer, count, mebibytes, milliseconds, number, rate


@dataclass(frozen=True)
class GateMetric:
    """One figure of a trial.

    Attributes:
        column: of the dataset's trials, or of its latencies where `of_latency`.
        words: what it is, for people.
        unit: of what `shown` prints.
        shown: prints it.
        lower_is_better: whether less of it is better.
        counted: whether it counts faults, and may be 0.
        of_latency: whether it is a percentile of the row's latency.
    """

    column: str
    words: str
    unit: str
    shown: Printer
    lower_is_better: bool = True
    counted: bool = False
    of_latency: bool = False

    @property
    def throughput(self) -> bool:
        """Whether rows are ranked by it only on four CPUs and more."""
        return not self.lower_is_better


def _percentile(name: str) -> GateMetric:
    return GateMetric(name, f"{name} latency", "ms", milliseconds, of_latency=True)


METRICS: Mapping[str, GateMetric] = {
    **{name: _percentile(name) for name in ("p50", "p90", "p99", "p99.9", "p99.99")},
    "achieved_rate": GateMetric("achieved_rate", "messages received a second", "msg/s", rate, lower_is_better=False),
    "broker_cpu": GateMetric("broker_cpu_us_per_message", "broker CPU a message", "µs", number),
    "broker_rss": GateMetric("broker_rss_peak", "peak memory of the broker", "MiB", mebibytes),
    "client_cpu": GateMetric("client_cpu_us_per_message", "client CPU a message", "µs", number),
    "client_rss": GateMetric("client_rss_peak", "peak memory of the client", "MiB", mebibytes),
    "lost": GateMetric("ledger_lost", "confirmed messages lost", "", count, counted=True),
    "duplicated": GateMetric("ledger_duplicated", "messages delivered more than once", "", count, counted=True),
    "reordered": GateMetric("ledger_reordered", "messages out of order", "", count, counted=True),
}
"""By the name that a budget uses."""


_FLOORS = {"achieved_rate": "achieved rate", "broker_cpu": "broker CPU"}


def floor_name(name: str, *, closed_loop: bool) -> str:
    """Return how a noise floor names a metric under a load (see `bench.stats.noise_floor`); empty where it has none."""
    if METRICS[name].of_latency:
        return f"{name} {'service' if closed_loop else 'response'}"
    return _FLOORS.get(name, "")


def figures(data: Dataset, metric: GateMetric, target: str, workload: str, *, whole: bool = False) -> dict[int, float]:
    """Return repetition -> figure of each valid trial of a row that has it.

    With `whole` that of all messages, where the metric's own leaves the host's pauses out; else there is none.

    Returns:
        ns, messages a second, µs, bytes or a count; infinite where the message of that rank never
        came. A trial with too few messages for the percentile, or of a broker whose processes
        cannot be seen, is left out.
    """
    rows = rows_of(data.trials, target, workload)
    keys, column = ["run_id", "index", "tag"], f"all_{metric.column}" if whole else metric.column
    if metric.of_latency:
        rows = rows[[*keys, "repetition"]].merge(data.latency[[*keys, column]], on=keys)
    found: dict[int, float] = {}
    for run_id, index, repetition, value in zip(
        rows["run_id"], rows["index"], rows["repetition"], rows[column], strict=True
    ):
        if value is not None and not math.isnan(value) and data.records[run_id, index].valid:
            found[int(repetition)] = float(value)
    return found
