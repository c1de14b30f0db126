"""A history in the order of commits: backfills, branches, pull requests; series that end, and runs that cease."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reports.errors import ReportError
from reports.history import commands, text
from reports.history.changes import HistoryRules, State, judge
from reports.history.series import COLUMNS, branches_of, series_of
from reports.history.store import Store
from tests.reports.history_stores import stored
from tests.reports.test_history import noisy

START = datetime(2026, 1, 1, tzinfo=UTC)


def day(number: float) -> str:
    """Return a time in the form of the store."""
    return (START + timedelta(days=number)).isoformat()


def measured(position: int, **fields: Any) -> dict[str, Any]:
    """Return columns of a run of a commit of the main branch, one a day."""
    names = {"commit": f"c{position:03d}", "parent": f"c{position - 1:03d}", "branch": "main", "main": "main"}
    return names | {"position": position, "committed_utc": day(position)} | fields


def extended(store: Store, values: list[float], runs: list[dict[str, Any]], **fields: Any) -> Store:
    """Add runs to a store, one for each value, each with columns of its own; return it."""
    template = store.read().rows.iloc[:3]
    for value, run in zip(values, runs, strict=True):
        frame = template.assign(value=value * 1e6, seed=len(list((store.folder / "runs").iterdir())), **(fields | run))
        assert store.add(frame[list(COLUMNS)])
    return store


def made(folder: Path, values: list[float], **fields: Any) -> Store:
    """Return a store with a run a day for each value, in the order of commits."""
    columns = {name: lambda k, name=name: measured(k)[name] for name in measured(0)}
    return stored(folder, values, **columns, **fields)


@pytest.mark.compiled
@pytest.mark.parametrize("position", [True, False])
def test_old_commits_measured_last_stand_among_the_old_ones(tmp_path: Path, position: bool) -> None:  # noqa: FBT001
    """Six commits of before an improvement, measured today, raise no alarm at the newest; by position or by time."""
    store = made(tmp_path, noisy((15, 2.4), (10, 2.0)))
    [before] = commands.watch(store).series
    known = {} if position else {"position": -1}
    runs = [measured(5) | known | {"time_utc": day(31 + k / 10), "trial_utc": day(31)} for k in range(6)]
    extended(store, noisy((6, 2.4)), runs)
    [one] = commands.watch(store).series
    assert one.series.commits[5:12] == ("c005",) * 7
    assert (
        [(each.commit, each.worse) for each in one.found]
        == [("c015", False)]
        == [(each.commit, each.worse) for each in before.found]
    )


@pytest.mark.compiled
def test_a_change_is_told_with_the_commits_that_may_have_made_it(tmp_path: Path) -> None:
    """One where parent and child were measured; else those between the runs; the host where both are one commit."""
    store = made(tmp_path / "each", noisy((12, 2.0), (8, 2.6)))
    [one] = commands.watch(store).series
    [line] = text.alarms(one)
    assert "(commit c012), 2026-01-07, p = " in line
    skipping = stored(
        tmp_path / "some",
        noisy((12, 2.0), (8, 2.6)),
        commit=lambda k: f"c{2 * k:03d}",
        parent=lambda k: f"c{2 * k - 1:03d}",
    )
    [line] = text.alarms(commands.watch(skipping).series[0])
    assert "(commit c024), 2026-01-07, somewhere in c022..c024, p = " in line
    [line] = text.alarms(commands.watch(stored(tmp_path / "one", noisy((12, 2.0), (8, 2.6)), commit="same")).series[0])
    assert "with the same commit before and after it: look at the host" in line
    vague = stored(tmp_path / "vague", noisy((30, 2.0), (8, 2.13)))
    [one] = commands.watch(vague).series
    [found] = one.found
    assert found.low < found.at == found.high or found.low <= found.at <= found.high > found.low
    assert f"somewhere in {found.low - 1:04d}abcd..{found.high:04d}abcd" in text.alarms(one)[0]
    nameless = stored(tmp_path / "nameless", noisy((30, 2.0), (8, 2.13)), commit="")
    assert "or another of runs " in text.alarms(commands.watch(nameless).series[0])[0]


@pytest.mark.compiled
def test_a_step_at_run_forty_is_named_at_its_first_alarm(tmp_path: Path) -> None:
    """× 1.2 at 2 % noise: as soon as there is an alarm, the run is named, or a range that holds it."""
    rng = np.random.default_rng(1)
    store = stored(tmp_path, [float(2 * rng.lognormal(0, 0.02) * (1.2 if k >= 40 else 1)) for k in range(46)])
    read = store.read()
    for length in range(41, 47):
        [series] = series_of(read.rows[read.rows["run_id"] < f"run-{length:03d}"])
        [one] = judge([series], read.confirmations).series
        if one.found:
            break
    assert one.found[-1].low <= 40 <= one.found[-1].high
    assert one.found[-1].commit == "0040abcd"


def branch_store(folder: Path, main: list[float], own: list[float]) -> Store:
    """Return a store of a main branch and of `topic`, which left it at commit 20; measured in turn."""
    store = made(folder, main)
    base = {"branch": "topic", "base": "c020", "base_position": 20, "base_committed_utc": day(20)}
    runs = [
        measured(21 + k, commit=f"t{k:03d}", parent=f"t{k - 1:03d}" if k else "c020", **base)
        | {"time_utc": day(20 + k), "trial_utc": day(k)}
        for k in range(len(own))
    ]
    return extended(store, own, runs)


@pytest.mark.compiled
def test_a_branch_never_moves_the_main_series_and_begins_where_it_left(tmp_path: Path) -> None:
    """A slow branch raises no alarm on the main one, and its own series is compared with main up to its base.

    A pull request is one, too, called as `measured_commit` says.
    """
    [alone] = commands.watch(made(tmp_path / "main", noisy((40, 2.0)))).series
    store = branch_store(tmp_path / "both", noisy((40, 2.0)), noisy((6, 3.0)))
    watched = commands.watch(store)
    assert (watched.series[0].series.values == alone.series.values).all()
    assert not watched.suspect
    assert watched.branches == {"topic": 6}
    assert text.branches(watched) == ["Branches, seen with --branch: topic (6 runs)."]
    topic = commands.watch(store, branch="topic")
    [one] = topic.series
    assert one.series.commits[20:23] == ("c020", "t000", "t001")
    assert one.series.begin == 21
    [found] = one.found
    assert (found.commit, found.worse) == ("t000", True)
    assert "of branch topic" in text.headline(topic)
    assert "27 runs, 6 of them on topic" in "\n".join(text.block(one))
    with pytest.raises(ReportError, match=r"--branch other.*other branches with runs: topic"):
        commands.watch(store, branch="other")


@pytest.mark.compiled
def test_a_change_of_the_main_branch_is_none_of_a_branch(tmp_path: Path) -> None:
    """Its series shows it and does not tell it again; nor does one that came after the base."""
    store = branch_store(tmp_path, noisy((10, 2.0), (20, 2.6), (10, 2.0)), noisy((6, 2.6)))
    assert len(commands.watch(store).series[0].found) == 2
    [one] = commands.watch(store, branch="topic").series
    assert one.found == ()
    assert len(one.series.values) == 21 + 6


def test_runs_of_before_a_rebase_are_left_out(tmp_path: Path) -> None:
    """A branch has the points that left the main one where the newest did."""
    store = branch_store(tmp_path, [2.0] * 40, [3.0] * 4)
    rebased = measured(31, branch="topic", commit="r000") | {"base": "c030", "base_position": 30, "time_utc": day(50)}
    extended(store, [3.0], [rebased])
    [series] = series_of(store.read().rows, "topic")
    assert series.commits[29:] == ("c029", "c030", "r000")
    [series] = series_of(store.read().rows.assign(base_position=-1, base_committed_utc=""), "topic")
    assert series.commits[-2:] == ("c031", "r000")  # by the time of its first commit, as its base is not known


def test_a_branch_may_measure_what_the_main_one_does_not(tmp_path: Path) -> None:
    """A series of a new target has the branch's points alone."""
    store = branch_store(tmp_path, [2.0] * 25, [3.0] * 2)
    extended(store, [1.0], [measured(23, branch="topic", time_utc=day(50))], target="new")
    new, old = sorted(series_of(store.read().rows, "topic"), key=lambda one: len(one.values))
    assert (new.begin, len(new.values), new.key["target"]) == (0, 1, "new")
    assert old.begin == 21


def test_a_store_without_its_main_branch_says_what_it_has(tmp_path: Path) -> None:
    """As where the main branch was taken for another."""
    store = stored(tmp_path, [1.0, 1.0], branch="trunk", main="main")
    assert branches_of(store.read().rows) == {"trunk": 2}
    with pytest.raises(ReportError, match="no run of its main branch; other branches with runs: trunk"):
        commands.watch(store)


@pytest.mark.compiled
def test_a_renamed_target_is_told_as_silent_and_then_has_ended(tmp_path: Path) -> None:
    """Once ended its open change raises no alarm, and its share of the budget is free."""
    store = made(tmp_path, noisy((20, 2.0), (8, 2.6)), target="former")
    late = [measured(28 + k, time_utc=day(40 + 12 * k), trial_utc=day(40 + k)) for k in range(6)]
    extended(store, [2.0], late[:1], target="renamed")
    former, _ = commands.watch(store).series
    [change, silent] = text.alarms(former)
    assert "worse" in change
    assert silent == "silent: no run for 26 days, since 2026-01-14, while others had some"
    extended(store, noisy((5, 2.0)), late[1:], target="renamed")
    watched = commands.watch(store)
    former, _ = watched.series
    assert former.series.key["target"] == "former"
    assert former.ended
    assert (former.suspects, text.alarms(former)) == ((), [])
    assert watched.alive == (watched.series[1],)
    assert "ended: no run since 2026-01-14" in "\n".join(text.block(former))
    assert not watched.suspect
    assert text.headline(watched) == "No unconfirmed change in 1 series. 1 more has ended."
    assert commands.watch(store, rules=HistoryRules(ends_after=timedelta(days=365))).suspect


@pytest.mark.compiled
def test_series_may_end_by_intent(tmp_path: Path) -> None:
    """What was accepted to have ended is not told as silent, and is alive again when it has another run."""
    store = made(tmp_path, [2.0] * 10, target="former")
    extended(store, [2.0], [measured(10, time_utc=day(40))], target="renamed")
    assert commands.watch(store).suspect
    kept = commands.accept(store, "c009", "renamed", only="former", end=True)
    assert [one.key["target"] for one in kept] == ["former"]
    assert commands.accept(store, "c009", "renamed", only="former", end=True) == []
    assert not commands.watch(store).suspect
    extended(store, [2.0], [measured(11, time_utc=day(80))], target="former")
    assert not any(one.ended for one in commands.watch(store).series)


def test_no_run_of_all_is_told(tmp_path: Path) -> None:
    """Where now is given; weekly runs are not late after two weeks and a day, if that is how they come."""
    store = stored(tmp_path / "daily", [2.0] * 3)
    assert commands.watch(store).silent is None
    late = commands.watch(store, now=START + timedelta(days=21))
    assert late.suspect
    assert text.headline(late).startswith("Suspect: no run for 20 days: does the job that adds them still run? ")
    weekly = stored(tmp_path / "weekly", [2.0] * 3, time_utc=lambda k: day(7 * k))
    assert commands.watch(weekly, now=START + timedelta(days=14 + 20)).silent is None
    assert commands.watch(weekly, now=START + timedelta(days=14 + 22)).silent == timedelta(days=22)


@pytest.mark.compiled
def test_an_accepted_level_is_where_drift_and_changes_begin(tmp_path: Path) -> None:
    """A new broker by intent is no suspect, whatever the drift before it; what comes after is."""
    slope = [float(value * 1.004**k) for k, value in enumerate(noisy((60, 2.0)))]
    store = made(tmp_path, [*slope, *noisy((20, 3.0))])
    [one] = commands.watch(store).series
    assert one.suspect
    [kept] = commands.accept(store, "c060", "RabbitMQ 4.1")
    assert kept.name == one.series.name
    [one] = commands.watch(store).series
    assert one.found[-1].state is State.ACCEPTED
    assert one.drift is None
    line = text.change(one.found[-1], one)
    assert line.startswith("accepted: ")
    assert line.endswith("(commit c060), 2026-01-31: RabbitMQ 4.1")
