"""What a million messages cost, broker and client apart. Pure.

Costs compare at equal rates only, so a row stands beside the rows of its own workload. What a
trial's record tells of disk and wire is used where it does; CPU and memory are always there.
"""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from bench.results import TrialRecord
from reports.dataset import Dataset
from reports.model import Model, Spread
from reports.spread import spread


class CostRow(Model):
    """What a million messages of a row cost, measured part, whole process trees."""

    target: str
    workload: str
    rate: Spread
    """Messages a second at which this was measured."""
    broker_cpu_s: Spread
    """CPU seconds of the broker for a million messages."""
    client_cpu_s: Spread
    """CPU seconds of all our workers for a million messages."""
    broker_rss: Spread
    """Peak resident memory of the broker, bytes."""
    disk_written: Spread
    """Bytes that the broker wrote towards block devices a message."""
    wire: Spread
    """Bytes on the wire a message, both ways, as drivers count them."""


def costs(data: Dataset) -> Iterator[CostRow]:
    """Yield the costs of each row that has usable trials, in the scenario's order."""
    for workload in data.scenario.workloads:
        for target in data.scenario.targets:
            rows = data.trials[
                data.trials["usable"]
                & (data.trials["target"] == target.name)
                & (data.trials["workload"] == workload.name)
            ]
            if len(rows):
                yield _row(data, target.name, workload.name, rows)


def _row(data: Dataset, target: str, workload: str, rows: pd.DataFrame) -> CostRow:
    records = [data.records[str(run), int(index)] for run, index in zip(rows["run_id"], rows["index"], strict=True)]
    return CostRow(
        target=target,
        workload=workload,
        rate=spread(rows["achieved_rate"]),
        # A microsecond a message is a second a million.
        broker_cpu_s=spread(rows["broker_cpu_us_per_message"]),
        client_cpu_s=spread(rows["client_cpu_us_per_message"]),
        broker_rss=spread(rows["broker_rss_peak"]),
        disk_written=spread(_told(record, "broker", "disk_written_per_message") for record in records),
        wire=spread(_wire(record) for record in records),
    )


def _told(record: TrialRecord, *path: str) -> float | None:
    """Return a figure of the record's cost; None where the record has none, as older ones do."""
    found: Any = getattr(record, "cost", None)
    for name in path:
        found = getattr(found, name, None)
    return None if found is None else float(found)


def _wire(record: TrialRecord) -> float | None:
    there, back = _told(record, "wire_to_broker_per_message"), _told(record, "wire_from_broker_per_message")
    return None if there is None or back is None else there + back
