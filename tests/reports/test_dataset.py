"""Results folders as tables: nothing lost, nothing averaged, and clear words where a folder is bad."""

import json
import math
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hdrh.histogram import HdrHistogram

from bench.record.histogram import Seconds
from bench.results.records import TrialRecord
from reports.dataset import Dataset, load
from reports.errors import ReportError
from reports.seconds import longest_ns
from tests.reports.in_memory import made_tables
from tests.reports.synthetic import build, client_bound


def from_log(folder: Path, record: TrialRecord, tag: str) -> HdrHistogram:
    """Add up the measured lines of a trial's log, with the library and string splitting alone."""
    total = HdrHistogram(1, 3_600_000_000_000, 3)
    for line in (folder / "latency.hlog").read_text(encoding="utf-8").splitlines():
        if line.startswith(f"Tag={tag},"):
            _, start, _, _, payload = line.split(",")
            if record.measure_from_s <= float(start) < record.measure_to_s:
                total.decode_and_add(payload)
    return total


def test_latencies_are_those_of_the_log_files_alone(quick: Dataset, quick_folder: Path) -> None:
    """Counts and every printed percentile equal what the library reads from latency.hlog."""
    checked = 0
    names = {"p50": 50, "p99": 99, "p99.9": 99.9}
    for path in sorted((quick_folder / "trials").glob("*/trial.json"))[::4]:
        record = TrialRecord.model_validate_json(path.read_text(encoding="utf-8"))
        rows = quick.latency[quick.latency["index"] == record.index].set_index("tag")
        for tag in record.latency:
            logged, row = from_log(path.parent, record, tag), rows.loc[tag]
            assert row["count"] == logged.get_total_count()
            checked += 1
            if record.outcome == "overloaded":
                continue
            assert row["max"] == logged.get_max_value()
            if row["never"] == 0:
                for name, percent in names.items():
                    expected = logged.get_value_at_percentile(percent)
                    assert row[name] == expected or (math.isnan(row[name]) and row["count"] < 10_000)
    assert checked > 40


@pytest.mark.compiled
def test_the_order_of_folders_makes_no_difference(tmp_path: Path) -> None:
    """Two runs of a scenario give the same tables either way, and their histograms add up."""
    one, two = (
        build(tmp_path / name, repetitions=1, seconds=1, closed_loop=False, run_id=name) for name in ("one", "two")
    )
    forth, back = load(one, two), load(two, one)
    for name in ("trials", "latency", "seconds", "timeline", "settings"):
        pd.testing.assert_frame_equal(getattr(forth, name), getattr(back, name))
    total = forth.histogram("rabbitmq-091", "steady", "response").get_total_count()
    assert total == 2 * load(one).histogram("rabbitmq-091", "steady", "response").get_total_count()


def test_a_trial_without_result_is_listed(quick: Dataset) -> None:
    """The missing trial stands in `absent`, and only that one."""
    assert quick.absent[["target", "workload", "repetition"]].to_numpy().tolist() == [["rabbitmq-10", "durable", 2]]


def test_an_invalid_trial_is_kept_visible_and_unused(quick: Dataset) -> None:
    """A hard word of health makes a trial unusable, with its text as reason; findings do not."""
    unused = quick.trials[~quick.trials["usable"]]
    assert unused[["target", "workload", "repetition"]].to_numpy().tolist() == [["rabbitmq-091", "durable", 1]]
    assert "send-lag" in unused["why_not"].iloc[0]
    overloaded = quick.trials[quick.trials["outcome"] == "overloaded"]
    assert overloaded["usable"].all()


def test_messages_never_received_rank_above_the_maximum() -> None:
    """4,000 of 14,000 due messages missing: p50 is known, p99 has no bound."""

    def missing(trial: dict[str, Any]) -> dict[str, Any]:
        return trial | {"offered": trial["offered"] + 4_000}

    data = made_tables(repetitions=1, closed_loop=False, change=missing)
    rows = data.latency[data.latency["tag"] == "response"]
    assert (rows["never"] == 4_000).all()
    assert rows["p50"].map(math.isfinite).all()
    assert rows["p99"].map(math.isinf).all()


def test_an_overloaded_trial_has_no_latency(quick: Dataset) -> None:
    """What it measured grows with its length: every figure is without bound, the words say why, the rate stays."""
    [trial] = quick.trials[quick.trials["outcome"] == "overloaded"].to_dict("records")
    assert trial["overload"] == "overloaded: backlog grew by 590 msg/s"
    assert trial["achieved_rate"] == 1_410.0
    rows = quick.latency[quick.latency["index"] == trial["index"]]
    assert rows[["p50", "p90", "p99", "max", "mean"]].map(math.isinf).all().all()
    whole = quick.distribution(trial["target"], trial["workload"], "response")
    counted = [record.latency["response"].count for record in quick.records.values()
               if (record.target, record.workload) == (trial["target"], trial["workload"])]  # fmt: skip
    assert whole.messages == sum(counted) + 4_000
    assert whole.count == sum(counted) - counted[-1]
    assert (quick.trials.loc[quick.trials["outcome"] == "completed", "overload"] == "").all()


def test_a_client_bound_trial_is_left_out_with_its_reason() -> None:
    """A hard verdict as any other; where clients are the subject it is a note, and the row is like the others."""

    def about_clients(run: dict[str, Any]) -> dict[str, Any]:
        run["scenario"]["subject"] = "client"
        return run

    data = made_tables(repetitions=1, closed_loop=False, change=partial(client_bound, hard=True))
    assert not data.trials["usable"].any()
    assert set(data.trials["why_not"]) == {"our client was the limit (client-bound)"}
    noted = {"repetitions": 1, "closed_loop": False, "change": client_bound}
    assert made_tables(**noted).trials["client_bound"].all()
    trials = made_tables(**noted, change_run=about_clients).trials
    assert trials["usable"].all()
    assert not trials["client_bound"].any()


def test_a_closed_loop_has_no_response(quick: Dataset) -> None:
    """Tags of the in-flight workloads are service and confirm only."""
    closed = quick.latency[quick.latency["workload"].str.startswith("in-flight")]
    assert set(closed["tag"]) == {"service", "confirm"}


def test_seconds_include_the_warm_up_at_negative_times(quick: Dataset) -> None:
    """Each trial's bins span warm-up and measured part without a gap."""
    for _, rows in quick.seconds.groupby("index"):
        assert rows["from_s"].min() == -2
        assert rows["to_s"].max() == 5
        assert (rows["to_s"] - rows["from_s"]).sum() == 7


def damaged(source: Path, target: Path) -> Path:
    """Copy a results folder to spoil it."""
    return shutil.copytree(source, target)


def test_a_damaged_trial_is_listed_with_its_reason(quick_folder: Path, tmp_path: Path) -> None:
    """Truncated JSON, a missing log and a log that disagrees each cost that trial alone."""
    folder = damaged(quick_folder, tmp_path / "run")
    first, second, third = sorted((folder / "trials").iterdir())[:3]
    (first / "trial.json").write_text('{"schema_version": 1', encoding="utf-8")
    (second / "latency.hlog").unlink()
    log = third / "latency.hlog"
    log.write_text("\n".join(log.read_text(encoding="utf-8").splitlines()[:-1]), encoding="utf-8")
    whys = load(folder).absent.set_index("index")["why"]
    assert whys.loc[[0, 1, 2]].str.startswith("unreadable").all()
    assert "latency.hlog" in whys.loc[1]
    assert "trial.json" in whys.loc[2]


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    """The message names the folder and what makes one."""
    with pytest.raises(ReportError, match=r"nowhere.*bench run"):
        load(tmp_path / "nowhere")


def test_no_folder_at_all_is_said() -> None:
    """Loading nothing is an error of the caller's, not an empty report."""
    with pytest.raises(ReportError, match="no results folder given"):
        load()


def test_a_run_of_another_schema_is_refused(quick_folder: Path, tmp_path: Path) -> None:
    """A newer schema is not guessed at."""
    folder = damaged(quick_folder, tmp_path / "run")
    record = json.loads((folder / "run.json").read_text(encoding="utf-8")) | {"schema_version": 99}
    (folder / "run.json").write_text(json.dumps(record), encoding="utf-8")
    with pytest.raises(ReportError, match="99"):
        load(folder)


def test_a_run_without_finished_trials_names_the_way_on(quick_folder: Path, tmp_path: Path) -> None:
    """Nothing to report: the message says how to finish the run."""
    folder = damaged(quick_folder, tmp_path / "run")
    shutil.rmtree(folder / "trials")
    with pytest.raises(ReportError, match="--resume"):
        load(folder)


def test_unlike_runs_are_not_pooled(quick_folder: Path, tmp_path: Path) -> None:
    """Another scenario, or the same folder twice, is refused by name."""
    other = build(tmp_path / "other", repetitions=1, seconds=1, closed_loop=False, run_id="other")
    with pytest.raises(ReportError, match="differ in their scenario"):
        load(quick_folder, other)
    with pytest.raises(ReportError, match="given twice"):
        load(quick_folder, quick_folder)


def test_the_longest_value_of_each_second_is_found() -> None:
    """Of the buckets of a second the highest counts, whatever their order."""
    index = np.array([5, 900, 17], np.int64)
    part = Seconds(np.array([0, 0, 3], np.int64), index, np.ones(3, np.int64), np.empty((0, 4), np.int64))
    assert longest_ns(part) == {0: 900, 3: 17}
