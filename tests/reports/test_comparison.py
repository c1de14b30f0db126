"""Rows against each other: what is estimated, what is judged, and what two stored runs may say."""

from dataclasses import replace
from typing import Any

import pytest

from bench.results.durability import Probe
from reports.cases import MIN_TRIALS
from reports.comparison import by_run, by_target, by_workload
from reports.dataset import Dataset
from reports.summarise import summarise
from tests.reports.in_memory import made_tables, tables
from tests.reports.synthetic import Made, make


@pytest.fixture(scope="module")
def swept() -> Dataset:
    """Ten repetitions with closed loops, on eight CPUs that broker and clients share."""

    def share(trial: dict[str, object]) -> dict[str, object]:
        note = {"code": "shared-cores", "hard": False, "text": "Broker and clients share CPUs."}
        dear = str(trial["target"]).endswith("10")
        usage = {"cpu_s": 0.1, "cpu_us_per_message": 90.0 if dear else 60.0, "cpu_cores_busiest": 0.3, "rss_peak": 1}
        return trial | {"health": [note], "client_usage": usage}

    return made_tables(mode="full", repetitions=MIN_TRIALS, seconds=1, cpus=8, change=share)


def slowed(data: Dataset, factor: float) -> Dataset:
    """Return the run under another id with every p99 so many times as high."""
    return replace(
        data,
        runs=tuple(run.model_copy(update={"run_id": "later"}) for run in data.runs),
        latency=data.latency.assign(p99=data.latency["p99"] * factor),
    )


def test_a_row_that_is_bounded_by_our_client_is_told_of(full: Dataset) -> None:
    """Its pairs have an estimate and no verdict, with the reason."""
    bounded = [line for line in by_target(full).lines if line.second == "broker-j-10" and line.workload == "steady"]
    assert len(bounded) == 3
    assert all(line.verdict == "undecided" and line.ratio for line in bounded)
    assert all("broker-j-10: client-bound" in line.why for line in bounded)


def test_percentiles_only_as_far_as_the_data_carry(full: Dataset) -> None:
    """Without a p99 in any trial there is no ratio, and how much longer it takes."""
    thin = replace(full, latency=full.latency.assign(p99=float("nan"), count=100))
    line = by_target(thin).lines[0]
    assert (line.ratio, line.low, line.n, line.verdict) == (None, None, 0, "undecided")
    assert "not enough data: 1,000 messages a trial needed" in line.why


def test_stored_runs_are_at_most_suspect(full: Dataset) -> None:
    """Half as high again is suspect, in either direction; a client-bound row says nothing; never better or worse."""
    for factor in (1.5, 0.5):
        lines = by_run(full, slowed(full, factor)).lines
        assert {line.verdict for line in lines if not line.why} == {"suspect"}
        assert all(line.down_to is None for line in lines)
        assert [line.ratio for line in lines if line.ratio] == pytest.approx([1 / factor] * 7)
        assert [line.why for line in lines if line.why] == ["client-bound: a lower bound"]


def test_the_bound_is_the_far_end_of_the_interval(full: Dataset) -> None:
    """Down to x: the largest change that the interval leaves possible, in either direction."""
    quiet = [line for line in by_run(full, slowed(full, 1.01)).lines if line.verdict == "no sign of change"]
    assert quiet
    for line in quiet:
        assert line.low is not None
        assert line.high is not None
        assert line.down_to == pytest.approx(max(line.high - 1, 1 - line.low))


def test_rows_of_one_run_alone_are_named(full: Dataset) -> None:
    """A target that the other run has not is told, not dropped in silence."""
    fewer = full.scenario.model_copy(update={"targets": full.scenario.targets[:3]})
    run = full.runs[0].model_copy(update={"run_id": "later", "scenario": fewer})
    other = replace(full, runs=(run,), scenario=fewer)
    found = by_run(full, other)
    assert found.alone == ("broker-j-10 under steady", "broker-j-10 under durable")
    assert len(found.lines) == 6


def test_workloads_of_unlike_metric_are_not_paired(swept: Dataset) -> None:
    """Rates with rates, closed loops with closed loops."""
    lines = by_workload(swept).lines
    assert len(lines) == 4 * (1 + 3)
    assert all(("in-flight" in line.first) == ("in-flight" in line.second) for line in lines)


def test_clients_of_unequal_cost_are_not_ranked_by_throughput(swept: Dataset) -> None:
    """Pairs over two protocols have no verdict in a closed loop; their p99 is judged, with the remark."""
    lines = by_target(swept).lines
    for line in lines:
        mixed = line.first[-2:] != line.second[-2:]
        assert ("not ranked by throughput or cost" in line.why) is mixed
        if "in-flight" in line.workload:
            assert (line.verdict == "undecided" and line.trials_needed is None) is mixed
    sweep = summarise(swept).answers[-1]
    assert sweep.winner is None


def test_evidence_follows_its_run() -> None:
    """Pooled runs keep the probe that promises least; side by side each broker has that of its own run."""

    def run(day: int) -> Made:
        def dated(fields: dict[str, Any]) -> dict[str, Any]:
            return fields | {"started_utc": f"2026-01-0{day}T00:00:00Z"}

        return make(repetitions=1, seconds=1, closed_loop=False, run_id=f"run-2026010{day}", change_run=dated)

    runs = [run(1), run(2)]
    probes = {
        one.record.run_id: (Probe(broker="rabbitmq", workload="durable", size=100, messages=200, fsyncs=syncs),)
        for one, syncs in zip(runs, (200, 3), strict=True)
    }
    assert tables(*runs, probes=probes).durability["rabbitmq"].fsyncs == 3
    beside = tables(*runs, by="run", probes=probes).durability
    assert sorted(beside) == ["rabbitmq, run-20260101", "rabbitmq, run-20260102"]
    assert [beside[broker].fsyncs for broker in sorted(beside)] == [200, 3]


def test_a_quick_run_decides_nothing_beside_a_stored_one() -> None:
    """Whichever of the two it is: no verdict, no number of trials, and the reason."""
    settings = {"repetitions": 10, "closed_loop": False}
    whole, quick = (made_tables(mode=mode, run_id=mode, **settings) for mode in ("full", "quick"))
    for one, other in ((whole, quick), (quick, whole), (quick, quick)):
        for line in by_run(one, other).lines:
            assert (line.verdict, line.trials_needed, line.ratio) == ("undecided", None, None)
            assert line.why == "a quick run names no winner"
