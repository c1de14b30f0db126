"""The history of runs: rows added once, changes proposed and confirmed, faults in one message."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reports.dataset import Dataset
from reports.errors import ReportError
from reports.history import commands, text
from reports.history.changes import State, Watched, level_for
from reports.history.series import rows
from reports.history.store import Store
from tests.reports.history_stores import stored
from tests.reports.in_memory import made_tables, served
from tests.reports.synthetic import build, make


def noisy(*levels: tuple[int, float]) -> list[float]:
    """Return points of 3 % noise about levels, each a number of points and a value in ms."""
    rng = np.random.default_rng(12)
    return [float(level * rng.lognormal(0, 0.03)) for points, level in levels for _ in range(points)]


@pytest.fixture(scope="module")
def stepped(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store of 40 runs, the last 8 of which are 20 % slower."""
    return stored(tmp_path_factory.mktemp("stepped"), noisy((32, 2.0), (8, 2.4)))


def test_a_run_has_a_row_for_each_trial_and_metric(quick: Dataset) -> None:
    """Percentiles, rate and CPU of each usable trial, as the tables of reports have them; unusable trials have none."""
    frame = rows(quick, "abc")
    usable = quick.trials[quick.trials["usable"]]
    assert set(frame["trial"]) == set(usable["index"])
    rates = frame[frame["metric"] == "achieved rate"].set_index("trial")["value"]
    assert rates.to_dict() == usable.set_index("index")["achieved_rate"].to_dict()
    p99 = frame[frame["metric"] == "p99 response"].set_index("trial")["value"]
    expected = quick.latency[(quick.latency["tag"] == "response")].set_index("index")["p99"]
    assert (p99 == expected.loc[p99.index]).all()
    assert set(frame["commit"]) == {"abc"}
    assert set(frame["host_class"]) == {"Example CPU 3.0 GHz × 4, 16 GiB, 6, unknown"}


@pytest.mark.compiled
def test_a_run_is_added_once(tmp_path: Path) -> None:
    """The second time nothing is added, and nothing in the store has changed."""
    folder = build(tmp_path / "run", repetitions=1, seconds=1, closed_loop=False)
    store = Store(tmp_path / "store")
    added = commands.add(store, folder, "abc")
    assert added == len(store.read().rows) > 0
    assert commands.add(store, folder, "other") == 0
    assert set(store.read().rows["commit"]) == {"abc"}


@pytest.mark.compiled
def test_an_unfinished_run_is_added_only_on_demand(tmp_path: Path) -> None:
    """As a run is added once, one that can be finished is refused, with what to do."""
    drop = lambda trial: None if trial["index"] == 0 else trial  # noqa: E731
    folder = build(tmp_path / "run", repetitions=1, seconds=1, closed_loop=False, change=drop)
    store = Store(tmp_path / "store")
    with pytest.raises(ReportError, match=r"1 of 8 planned trials have no result.*--resume.*--unfinished"):
        commands.add(store, folder, "")
    assert commands.add(store, folder, "", unfinished=True) > 0


@pytest.mark.compiled
def test_a_step_is_proposed_with_run_commit_and_size(stepped: Store) -> None:
    """A slower level is a worse one, told with its first run; the noise of the series is that between changes."""
    [one] = commands.watch(stepped).series
    [found] = one.found
    assert abs(found.at - 32) <= 1
    assert found.state is State.PROPOSED
    assert found.worse
    assert found.ratio == pytest.approx(1.2, rel=0.05)
    assert one.promise.spread == pytest.approx(0.03, rel=0.5)
    said = "\n".join(text.block(one))
    assert f"worse (× {found.ratio:.2f}) from run {found.run_id}" in said
    assert "or more is found 5 runs later" in said


@pytest.mark.compiled
def test_a_step_too_small_to_matter_is_no_change(tmp_path: Path) -> None:
    """Two percent without noise are certain and no change: the smallest relevant effect is 5 %."""
    [one] = commands.watch(stored(tmp_path, [2.0] * 30 + [2.04] * 30)).series
    assert one.found == ()
    assert one.small == 1
    assert "1 certain step too small to matter" in "\n".join(text.block(one))


@pytest.mark.compiled
def test_an_outlier_as_the_newest_point_is_no_change(tmp_path: Path) -> None:
    """One run twice as slow as all before is a spike, not a level."""
    [one] = commands.watch(stored(tmp_path, [*noisy((40, 2.0)), 4.0])).series
    assert one.found == ()


def test_series_are_kept_apart_by_what_makes_figures_unlike(tmp_path: Path) -> None:
    """Another class of hosts or another load is another series."""
    store = stored(tmp_path, [1.0])
    for run, other in (("a", {"host_class": "two"}), ("b", {"load": "11111111"}), ("c", {"mode": "quick"})):
        frame = store.read().rows.head(3).assign(run_id=run, **other)
        assert store.add(frame)
    assert len(commands.watch(store).series) == 4


@pytest.mark.compiled
@pytest.mark.parametrize(("factor", "verdict", "state"), [(1.2, "worse", "confirmed"), (1.0, "same", "dismissed")])
def test_a_change_is_confirmed_or_dismissed_by_an_interleaved_run(
    tmp_path: Path, factor: float, verdict: str, state: str
) -> None:
    """A run of old and new side by side decides, and its verdict stays though the place moves by one."""
    asked = {"mode": "full", "repetitions": 10, "seconds": 1, "closed_loop": False, "change": _rate(factor)}
    folder = build(tmp_path / "run", **asked)
    first = rows(made_tables(**asked), "")
    load_of = first[first["workload"] == "steady"]["load"].iloc[0]
    fields = {"metric": "achieved rate", "load": load_of}
    store = stored(tmp_path / "store", noisy((30, 2.4), (8, 2.0)), **fields)
    watched = commands.watch(store)
    [one] = watched.series
    [found] = one.found
    assert found.worse  # a rate that fell
    near = one.series.commits[found.at - 1]
    sides = {"old": "rabbitmq-091", "new": "broker-j-091"}
    comparison, added = commands.confirm(store, one.series.name, near, folder, **sides)
    assert added
    assert comparison.verdict == verdict
    [again] = commands.watch(store).series
    assert again.found[0].state == state
    assert again.suspects == ()
    assert not commands.confirm(store, one.series.name, near, folder, **sides)[1]


def _rate(factor: float) -> Any:
    def change(trial: dict[str, Any]) -> dict[str, Any]:
        if trial["target"] == "broker-j-091":
            trial["achieved_rate"] /= factor
        return trial

    return change


def test_a_confirmation_that_cannot_be_made_says_why(tmp_path: Path, full_folder: Path, stepped: Store) -> None:
    """Unknown series, points, sides and workloads are refused with what there is."""
    [one] = commands.watch(stepped).series
    name = one.series.name
    alike, unlike = {"old": "rabbitmq-091", "new": "rabbitmq-091"}, {"old": "rabbitmq-091", "new": "rabbitmq-10"}
    for which, point, by, sides, said in (
        ("nothing", "run-001", full_folder, {}, "series 'nothing' is not in --store"),
        (name, "nowhere", full_folder, {}, "point 'nowhere' is no run or commit"),
        (name, "run-001", full_folder, {}, r"--old \(not given\): name one of the run's targets, rabbitmq-091"),
        (name, "run-001", full_folder, alike, "are both rabbitmq-091"),
        (name, "run-001", full_folder, unlike, "no trial to trust of p99 response"),
        (name, "run-001", tmp_path, {}, "is no results folder"),
    ):
        with pytest.raises(ReportError, match=said):
            commands.confirm(stepped, which, point, by, **sides)


def test_a_quick_look_confirms_nothing(stepped: Store) -> None:
    """It carries no verdict."""
    [one] = commands.watch(stepped).series
    with served(make(mode="quick")) as [folder], pytest.raises(ReportError, match="is a quick look"):
        commands.confirm(stepped, one.series.name, "run-001", folder)
    assert not (stepped.folder / "confirmed").exists()


def test_the_budget_sets_the_level() -> None:
    """More runs a week, or a smaller budget, leave a smaller level to each test; at least the smallest."""
    assert level_for(1.0, []) == 0.01
    assert level_for(1.0, [7.0]) == 0.05
    assert level_for(1.0, [14.0] * 5) == 0.01
    assert level_for(0.1, [14.0] * 5) == 0.001


@pytest.mark.compiled
def test_the_budget_is_told_and_an_overrun_is_named(stepped: Store) -> None:
    """False alarms a week are printed against what is allowed."""
    fine = commands.watch(stepped)
    assert "1.00 allowed" in text.budget(fine)
    assert "over budget" not in text.budget(fine)
    tight = Watched(fine.series, fine.level, 0.001)
    assert "over budget" in text.budget(tight)


@pytest.mark.compiled
def test_a_store_is_drawn_as_a_page_and_a_picture(tmp_path: Path, stepped: Store) -> None:
    """The page holds a figure with words for each series and asks nothing of a network; the picture is a PNG."""
    watched = commands.watch(stepped)
    commands.draw(watched, html=tmp_path / "h.html", png=tmp_path / "h.png")
    page = (tmp_path / "h.html").read_text()
    assert page.count("<svg") == 1
    assert f"proposed: × {watched.series[0].found[0].ratio:.2f}</text>" in page
    assert "Suspect: 1 of 1 series with a change" in page
    assert "http" not in page.replace("http://www.w3.org", "")
    assert (tmp_path / "h.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(ReportError, match="cannot be written"):
        commands.draw(commands.watch(stepped), png=tmp_path / "none" / "h.png")


def test_what_is_no_store_is_refused(tmp_path: Path, stepped: Store) -> None:
    """An empty store, a file in its place and a series that is not there each have their message."""
    with pytest.raises(ReportError, match="holds no run: add one"):
        commands.watch(Store(tmp_path / "none"))
    with pytest.raises(ReportError, match="--only nothing: none of 1 series"):
        commands.watch(stepped, only="nothing")
    (tmp_path / "file").write_text("")
    with pytest.raises(ReportError, match="cannot be written"):
        Store(tmp_path / "file").add(stepped.read().rows.head(1))


@pytest.mark.compiled
def test_sixty_small_steps_are_a_drift(tmp_path: Path) -> None:
    """+ 0.4 % a run is + 27 % together, which is told with both ends; with the newest level judged there is none."""
    rng = np.random.default_rng(1)
    store = stored(tmp_path, [float(2 * 1.004**k * rng.lognormal(0, 0.01)) for k in range(60)])
    watched = commands.watch(store)
    [one] = watched.series
    assert one.drift is not None
    assert one.drift.worse
    assert one.drift.ratio == pytest.approx(1.26, abs=0.04)
    assert watched.suspect
    assert "1 of 1 series with a drift" in text.headline(watched)
    [line] = [line for line in text.alarms(one) if line.startswith("drift: ")]
    assert "% worse (× 1.2" in line
    assert "from run run-000 (commit 0000abcd) to run run-059 (commit 0059abcd), little by little: " in line
    commands.draw(watched, html=tmp_path / "h.html")
    assert f"drift: × {one.drift.ratio:.2f}</text>" in (tmp_path / "h.html").read_text()
    commands.accept(store, "0059abcd", "known")
    [after] = commands.watch(store).series
    assert after.drift is None


@pytest.mark.compiled
def test_one_run_promises_nothing(tmp_path: Path) -> None:
    """How many runs are needed is said instead, of noise that it is not known, and of false alarms too."""
    watched = commands.watch(stored(tmp_path, [2.0]))
    [one] = watched.series
    said = "\n".join(text.block(one))
    assert "noise not known yet" in said
    assert (
        f"watched: {one.promise.needed} more runs needed, before which no step, however large, is sure to be found"
        in said
    )
    assert "false alarms a week not known yet" in said
    assert "or more is found" not in said
    assert text.budget(watched).startswith("False alarms: not known yet, as runs are too few; 1.00 a week allowed")


@pytest.mark.compiled
def test_after_a_change_a_promise_needs_runs_again(tmp_path: Path) -> None:
    """A step just after another is not found at once, though the noise is known."""
    [one] = commands.watch(stored(tmp_path, noisy((40, 2.0), (3, 3.0)))).series
    assert one.promise.spread is not None
    assert one.promise.needed
    assert f"{one.promise.needed} more run" in text.watching(one)
    assert "since the last change needed" in text.watching(one)
