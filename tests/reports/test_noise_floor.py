"""From an A/A run to the floor, and from the floor to what a report says."""

from dataclasses import replace
from typing import Any

import pytest

from bench.results.records import NoiseFloor
from bench.stats.ratio import Pair, compare
from reports.dataset import Dataset
from reports.history.series import rows
from reports.noise_floor import noise_floor
from reports.summarise import summarise
from reports.summary import Summary
from tests.reports.in_memory import tables
from tests.reports.synthetic import make


@pytest.fixture(scope="module")
def beside_itself() -> Dataset:
    """A run of two targets alike, ten repetitions."""
    keep = {"rabbitmq-091", "rabbitmq-10"}

    def change(trial: dict[str, Any]) -> dict[str, Any] | None:
        return trial if trial["target"] in keep else None

    made = make(mode="full", repetitions=10, seconds=1, closed_loop=False, change=change)
    record = made.record
    first = record.scenario.targets[0]
    targets = (first, first.model_copy(update={"name": "rabbitmq-10"}))
    scenario = record.scenario.model_copy(update={"targets": targets})
    plan = tuple(line for line in record.plan if line.target in keep)
    return tables(replace(made, record=record.model_copy(update={"scenario": scenario, "plan": plan})))


def test_the_floor_of_a_run_is_that_of_its_pairs(beside_itself: Dataset) -> None:
    """Each metric's floor is the far end of the interval of the paired ratio, over both workloads."""
    found = noise_floor(beside_itself)
    assert found is not None
    assert found.pairs == 10
    assert found.host_class.startswith("Example CPU 3.0 GHz × 4")
    frame = rows(beside_itself, "")
    ends = []
    for workload in ("steady", "durable"):
        chosen = frame[(frame["metric"] == "p99 response") & (frame["workload"] == workload)]
        first, second = (
            chosen[chosen["target"] == target].sort_values("repetition")["value"].tolist()
            for target in ("rabbitmq-091", "rabbitmq-10")
        )
        comparison = compare(Pair(first, second))
        ends += [comparison.high, 1 / comparison.low]
    assert found.effects["p99 response"] == pytest.approx(max(ends) - 1)


def test_a_run_of_two_things_has_no_floor(full: Dataset) -> None:
    """Targets that differ measure no noise."""
    assert noise_floor(full) is None


def test_a_report_looks_for_no_smaller_effect_than_the_floor(full: Dataset, full_summary: Summary) -> None:
    """With a floor of 900 % nothing is better or worse, and each comparison names where its limit comes from."""
    assert {one.delta_from for one in full_summary.comparisons} == {"the usual one"}
    assert {"better", "worse"} & {one.verdict for one in full_summary.comparisons}
    floor = NoiseFloor(run_id="noisy", measured_utc="", host_class="one", pairs=20, effects={"p99 response": 9.0})
    run = full.runs[0].model_copy(update={"noise_floor": floor})
    found = summarise(replace(full, runs=(run,)))
    assert {one.verdict for one in found.comparisons} <= {"same", "undecided"}
    assert {one.delta for one in found.comparisons} == {9.0}
    assert "below 900 % give no verdict: noise floor of this host, run noisy" in " ".join(found.caveats)
