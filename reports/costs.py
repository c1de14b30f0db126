"""What a million messages cost, broker and client apart. Pure.

Costs can be compared only at equal rates, so they are listed workload by workload. Older results
have no figures for disk, wire and idle brokers; CPU and memory are always there.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

import pandas as pd

from bench.results.cost import IdleCost
from bench.results.records import BrokerRecord, TrialRecord
from reports.dataset import Dataset
from reports.model import Model, Spread, spread

T = TypeVar("T")


class CostRow(Model):
    """What a million messages of a row cost, measured part, whole process trees."""

    target: str
    workload: str
    """Of several flows, all together."""
    rate: Spread
    """Messages (copies) a second at which this was measured."""
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


class BrokerInRun(Model):
    """Which broker a row is about."""

    broker: str
    product: str
    """With its version."""
    run_id: str


class IdleRow(IdleCost, BrokerInRun):
    """What a broker used while nobody used it, after its first start in a run."""


class StartRow(BrokerInRun):
    """How long a broker took to be of use, over its starts in a run."""

    ready_s: Spread
    """From the start of its program until every protocol answered, seconds, in steps of .05."""
    first_confirm_s: Spread
    """From the same instant until a first message was confirmed."""


def costs(data: Dataset) -> Iterator[CostRow]:
    """Yield the costs of each row that has usable trials, in the scenario's order; flows of a trial as one."""
    flows: dict[str, list[str]] = {}
    for workload in data.scenario.workloads:
        flows.setdefault(workload.flow_of or workload.name, []).append(workload.name)
    for name, together in flows.items():
        for target in data.scenario.targets:
            rows = data.usable(together[0], target.name)
            if len(rows):
                yield _row(data, target.name, name, rows, together)


def _row(data: Dataset, target: str, workload: str, rows: pd.DataFrame, flows: Sequence[str]) -> CostRow:
    every = data.trials[(data.trials["target"] == target) & data.trials["workload"].isin(flows)]
    rates = every.groupby(["run_id", "repetition"])["achieved_rate"].sum()
    records = [data.records[str(run), int(index)] for run, index in zip(rows["run_id"], rows["index"], strict=True)]
    return CostRow(
        target=target,
        workload=workload,
        rate=spread(rates[key] for key in zip(rows["run_id"], rows["repetition"], strict=True)),
        # A microsecond a message is a second a million.
        broker_cpu_s=spread(rows["broker_cpu_us_per_message"]),
        client_cpu_s=spread(rows["client_cpu_us_per_message"]),
        broker_rss=spread(rows["broker_rss_peak"]),
        disk_written=spread(record.cost.broker.disk_written_per_message if record.cost else None for record in records),
        wire=spread(_wire(record) for record in records),
    )


def _wire(record: TrialRecord) -> float | None:
    if record.cost is None:
        return None
    there, back = record.cost.wire_to_broker_per_message, record.cost.wire_from_broker_per_message
    return None if there is None or back is None else there + back


def idles(data: Dataset) -> Iterator[IdleRow]:
    """Yield what each broker used while nobody used it, one row a run in which that was measured."""
    told = {(record.broker.name, run): record.broker for (run, _), record in data.records.items() if record.broker.idle}
    for (name, run), broker in _in_order(data, told):
        yield IdleRow(broker=name, product=f"{broker.product} {broker.version}", run_id=run, **dict(broker.idle or ()))


def starts(data: Dataset) -> Iterator[StartRow]:
    """Yield how long each broker took to start, one row a run in which that is known."""
    known: dict[tuple[str, str], dict[int, BrokerRecord]] = {}
    for (run, _), record in data.records.items():
        if record.broker.ready_s is not None:
            known.setdefault((record.broker.name, run), {})[record.broker.started] = record.broker
    for (name, run), each in _in_order(data, known):
        some = [each[number] for number in sorted(each)]
        yield StartRow(
            broker=name,
            product=f"{some[0].product} {some[0].version}",
            run_id=run,
            ready_s=spread(one.ready_s for one in some),
            first_confirm_s=spread(one.first_confirm_s for one in some),
        )


def _in_order(data: Dataset, found: Mapping[tuple[str, str], T]) -> list[tuple[tuple[str, str], T]]:
    """Return what is known by broker and run, in the scenario's order."""
    order = [broker.name for broker in data.scenario.brokers]
    return sorted(found.items(), key=lambda each: (order.index(each[0][0]), each[0][1]))
