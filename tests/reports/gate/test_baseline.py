"""Which run of a history is a baseline, and what a gate says beside it."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
import pytest

from bench.scenario.absolute_limit import AbsoluteLimit
from reports.dataset import Dataset
from reports.gate.baseline import HistorySide, KeptSide, newest
from reports.gate.budget import Budget, read_budget
from reports.gate.judge import judge_first, judge_sides
from reports.gate.pairs import GateError, GateSide, Side
from reports.gate.result import Gate
from reports.history.series import rows
from reports.history.store import Store
from tests.reports.in_memory import made_tables

COMMITS = tuple(f"{k:x}" * 40 for k in range(8))
"""The newest first."""


def run(name: str, change_run: dict[str, Any] | None = None, **asked: Any) -> Dataset:
    """Return the tables of a full run of ten repetitions."""
    settings = {"mode": "full", "repetitions": 10, "closed_loop": False} | asked
    return made_tables(run_id=name, change_run=lambda fields: fields | (change_run or {}), **settings)


@pytest.fixture(scope="module")
def new() -> Dataset:
    """The candidate."""
    return run("new")


def slower(trial: dict[str, Any]) -> dict[str, Any]:
    """Let the broker use half as much CPU again."""
    trial["broker_usage"]["cpu_us_per_message"] *= 1.5
    return trial


def kept(*runs: tuple[Dataset, str]) -> pd.DataFrame:
    """Return what a history keeps of runs at commits."""
    with TemporaryDirectory() as folder:
        store = Store(Path(folder))
        assert all(store.add(rows(data, commit)) for data, commit in runs)
        return store.read().rows


def chosen(history: pd.DataFrame, new: Dataset, commits: tuple[str, ...] = COMMITS) -> str | None:
    """Return which run is the baseline."""
    side = newest(history, commits, Side(new)).side
    return None if side is None else side.title.split(" ")[0]


def test_the_newest_commit_with_a_run_counts_and_its_newest_run(new: Dataset) -> None:
    """Not the run that was measured last: a backfill of old commits is no baseline."""
    backfill = run("backfill", {"started_utc": "2026-06-01T12:00:00Z"})
    again = run("again", {"started_utc": "2026-01-02T12:00:00Z"})
    history = kept((run("old"), COMMITS[5]), (run("base"), COMMITS[3]), (again, COMMITS[3]), (backfill, COMMITS[7]))
    assert chosen(history, new) == "again"
    assert chosen(history, new, COMMITS[4:]) == "old"
    assert chosen(history, new, COMMITS[6:]) == "backfill"
    assert chosen(history, new, COMMITS[:3]) is None


def test_commits_are_known_by_their_beginning_and_others_are_none(new: Dataset) -> None:
    """Seven characters will do; a working tree that differed from its commit, and any other word, will not."""
    history = kept((run("short"), COMMITS[2][:7]), (run("dirty"), f"{COMMITS[1]}-dirty"), (run("word"), "nightly"))
    assert chosen(history, new) == "short"
    assert chosen(kept((run("few"), COMMITS[2][:6])), new) is None


def test_two_runs_of_one_name_are_two(new: Dataset) -> None:
    """As of two hosts that began in one second with one seed: neither the other's trials, nor the candidate's own."""
    later = {"started_utc": "2026-01-01T12:00:00.5Z"}
    one, two = run("twin"), run("twin", later, change=slower)
    found = newest(kept((one, COMMITS[1]), (two, COMMITS[1])), COMMITS, Side(new)).side
    assert found is not None
    assert (found.kept["file"].nunique(), set(found.kept["time_utc"])) == (1, {"2026-01-01T12:00:00.500000+00:00"})
    namesake = newest(kept((new, COMMITS[0]), (run("new", later), COMMITS[1])), COMMITS, Side(new)).side
    assert namesake is not None
    assert set(namesake.kept["commit"]) == {COMMITS[1]}


def test_only_the_same_is_compared(new: Dataset) -> None:
    """Neither its own run, nor a quick look, another scenario, another load, another class of hosts."""
    assert chosen(kept((new, COMMITS[0])), new) is None
    assert chosen(kept((run("quick", mode="quick"), COMMITS[0])), new) is None
    assert chosen(kept((run("longer", seconds=6), COMMITS[0])), new) is None
    other = kept((run("large", cpus=64), COMMITS[0]))
    found = newest(other, COMMITS, Side(new))
    assert (found.side, len(found.others)) == (None, 1)
    assert chosen(kept((run("large", cpus=64), COMMITS[0]), (run("like"), COMMITS[1])), new) == "like"


def test_beside_a_history_a_gate_passes_or_suspects(new: Dataset) -> None:
    """The same figures, by the names of the history; never a regression; counts of faults are held against none."""

    def judged(candidate: Dataset) -> Gate:
        side = newest(kept((run("base"), COMMITS[1])), COMMITS, Side(candidate)).side
        assert side is not None
        return judge_sides(side, KeptSide(candidate), read_budget(None), None, ["new"])

    alike = judged(new)
    lines = {(line.target, line.workload, line.metric): line for line in alike.lines}
    assert alike.verdict == "pass", alike.sentence
    assert alike.baseline == f"base (commit {COMMITS[1][:12]}, 2026-01-01T12:00)"
    one = lines["rabbitmq-091", "steady", "p99"]
    assert (one.ratio, one.n, one.baseline) == (1.0, 10, one.candidate)
    assert lines["rabbitmq-091", "steady", "lost"].verdict == "pass"
    assert lines["rabbitmq-091", "steady", "broker_rss"].verdict == "told"
    assert any("a history does not keep it" in remark for remark in alike.remarks)
    assert any("which keeps no counts of faults" in remark for remark in alike.remarks)
    worse = judged(run("worse", change=slower))
    assert (worse.verdict, worse.exit_code) == ("suspect", 3)
    assert {line.metric for line in worse.lines if line.verdict == "suspect"} == {"broker_cpu"}


def test_a_history_tells_when_messages_were_received(new: Dataset) -> None:
    """Latencies of another instant are told, and decide nothing."""

    def by_kernel(trial: dict[str, Any]) -> dict[str, Any]:
        return trial | {"latency": trial["latency"] | {"receive_lag": trial["latency"]["service"]}}

    side = newest(kept((run("base", change=by_kernel), COMMITS[1])), COMMITS, Side(new)).side
    assert side is not None
    found = judge_sides(side, KeptSide(new), read_budget(None), None, ["new"])
    assert {line.verdict for line in found.lines if line.metric in {"p50", "p99"}} == {"told"}
    assert found.verdict == "pass"


def test_the_first_run_passes_and_shows_its_figures(new: Dataset) -> None:
    """Unless it is a quick look, or the budget names what is not there."""
    found = judge_first(new, read_budget(None), ["new"])
    assert (found.verdict, found.baseline) == ("pass", None)
    assert found.sentence == "Pass: there is nothing to compare with yet."
    assert {line.verdict for line in found.lines} == {"told"}
    p99 = [line for line in found.lines if line.metric == "p99"]
    assert all((line.n, line.baseline) == (10, None) and line.candidate is not None for line in p99)
    with pytest.raises(GateError, match="is a quick look"):
        judge_first(run("quick", mode="quick"), read_budget(None), ["quick"])


def test_a_first_run_that_could_be_no_baseline_is_refused() -> None:
    """It passed, and every gate after it was invalid; where nothing is to be compared, absolute limits judge it."""
    few = run("few", repetitions=4)
    with pytest.raises(GateError, match=r"plan.repetitions: 4, and a gate compares 5 trials a side or more"):
        judge_first(few, read_budget(None), ["few"])
    limit = AbsoluteLimit(metric="p99", at_most="1s")
    assert {line.n for line in judge_first(few, Budget(limits=(limit,)), ["few"]).limits} == {4}


def test_every_side_is_a_gate_side(new: Dataset) -> None:
    """What a gate asks of one, all of them answer."""
    side: GateSide = HistorySide(kept((new, COMMITS[0])), 4)
    for one in (side, Side(new), KeptSide(new)):
        assert one.quick() == []
        assert sorted(one.rows()) == sorted(Side(new).rows())
        assert one.planned("rabbitmq-091", "steady") == len(one.valid("rabbitmq-091", "steady")) == 10
        assert not one.faults("rabbitmq-091", "steady")
        assert (one.cpus, dict(one.floors), one.receipt("rabbitmq-091", "steady")) == (4, {}, "when they were read")
        assert one.figures("p90", "rabbitmq-091", "steady") == {} or one is not side
