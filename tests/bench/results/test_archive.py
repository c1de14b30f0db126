"""The results folder: finished means finished, damage is named, nothing is overwritten."""

import json
import os
import shutil
from pathlib import Path

import pandas as pd
import pytest

from bench.plan.plan import make_plan
from bench.results import archive
from bench.results.records import LATER_COLUMNS, TIMELINE_COLUMNS, PlannedTrial, RunRecord, TrialRecord
from bench.run.conductor import Conductor, conduct
from bench.scenario.loading import load_scenario
from bench.scenario.products import describe
from bench.scenario.scenario import Target
from tests.quiet import Quiet


def smoke_record() -> tuple[RunRecord, str]:
    """Return the record of a small run on the memory driver."""
    loaded = load_scenario("smoke", ["workloads.0.duration='1s'"])
    record = RunRecord(
        run_id="smoke-1", started_utc="2026-01-01T00:00:00+00:00", mode="full", scenario=loaded.scenario, seed=1,
        overrides=(), command="bench run smoke", plan=make_plan(loaded.scenario, 1), tools={}, host={}, images={},
        products=describe(loaded.scenario),
    )  # fmt: skip
    return record, loaded.text


@pytest.fixture
def finished(once: Path, tmp_path: Path) -> Path:
    """A finished run of one's own."""
    return Path(shutil.copytree(once, tmp_path / "run"))


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run, to be copied."""
    record, text = smoke_record()
    folder = tmp_path_factory.mktemp("archive") / "run"
    archive.create(folder, record, text)
    assert conduct(record, folder, {}, Quiet()).failed == ()
    return folder


def test_a_run_reads_back(finished: Path) -> None:
    """Record, scenario and every trial come back as written, in order."""
    run = archive.read(finished)
    assert run.record == smoke_record()[0]
    assert [trial.record.index for trial in run.trials] == [0, 1, 2, 3]
    assert all(trial.record.valid for trial in run.trials)
    frame = archive.read_timeline(run.trials[0])
    assert frame["received"].sum() == run.trials[0].record.ledger.received
    assert (run.unreadable, run.attempts) == ({}, ())


@pytest.mark.compiled
def test_only_what_is_missing_is_run_again(finished: Path) -> None:
    """A trial without trial.json is run again on resuming; its remains go under attempts/."""
    gone = sorted((finished / "trials").iterdir())[2]
    (gone / "trial.json").unlink()
    kept = (min((finished / "trials").iterdir()) / "trial.json").stat().st_mtime_ns
    watch = Quiet()
    end = conduct(archive.read(finished).record, finished, {}, watch)
    assert (end.failed, end.interrupted, watch.begun) == ((), False, [2])
    run = archive.read(finished)
    assert len(run.trials) == 4
    assert run.attempts == (f"{gone.name}-1",)
    assert (min((finished / "trials").iterdir()) / "trial.json").stat().st_mtime_ns == kept


def test_an_existing_folder_is_never_written_over(finished: Path) -> None:
    """Beginning a run in a folder that exists is refused, with the way out."""
    record, text = smoke_record()
    with pytest.raises(archive.ArchiveError, match=r"exists already.*--resume"):
        archive.create(finished, record, text)


def test_damage_is_named(finished: Path, tmp_path: Path) -> None:
    """No folder, a torn run.json, a newer schema, a torn trial: each has its own words."""
    with pytest.raises(archive.ArchiveError, match="no results folder"):
        archive.read(tmp_path / "nowhere")
    trial = min((finished / "trials").iterdir()) / "trial.json"
    trial.write_text(trial.read_text()[:200])
    run = archive.read(finished)
    assert len(run.trials) == 3
    assert run.unreadable[0].startswith(trial.parent.name)
    record = json.loads((finished / "run.json").read_text())
    (finished / "run.json").write_text(json.dumps(record | {"schema_version": 99}))
    with pytest.raises(archive.ArchiveError, match="schema_version 99"):
        archive.read(finished)
    (finished / "run.json").write_text("{")
    with pytest.raises(archive.ArchiveError, match="damaged"):
        archive.read(finished)


def test_latest_is_a_run_with_a_trial(tmp_path: Path) -> None:
    """One that was only begun is not; its first trial makes it so, and what is resumed later changes nothing."""
    record, text = smoke_record()
    archive.create(tmp_path / "old", record, text)
    assert not (tmp_path / "latest").is_symlink()
    assert conduct(record, tmp_path / "old", {}, Quiet()).failed == ()
    archive.create(tmp_path / "new", record, text)
    assert (tmp_path / "latest").readlink() == Path("old")
    assert conduct(record, tmp_path / "new", {}, Quiet()).failed == ()
    (min((tmp_path / "old" / "trials").iterdir()) / "trial.json").unlink()
    assert conduct(record, tmp_path / "old", {}, Quiet()).failed == ()
    assert (tmp_path / "latest").readlink() == Path("new")


def test_only_a_folder_without_a_trial_is_removed(finished: Path, tmp_path: Path) -> None:
    """What was measured stays."""
    record, text = smoke_record()
    archive.create(tmp_path / "begun", record, text)
    for folder in (finished, tmp_path / "begun"):
        archive.remove_empty(folder)
    assert [(tmp_path / name).exists() for name in ("run", "begun")] == [True, False]


def test_latest_follows_the_newest(tmp_path: Path) -> None:
    """`latest` is a relative link that moves, and never replaces a real folder."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        archive._point_latest(tmp_path / name)
        assert (tmp_path / "latest").readlink() == Path(name)
    (tmp_path / "latest").unlink()
    (tmp_path / "latest").mkdir()
    archive._point_latest(tmp_path / "a")
    assert not (tmp_path / "latest").is_symlink()


@pytest.mark.compiled
def test_an_interrupt_keeps_finished_trials(tmp_path: Path) -> None:
    """Ctrl-C between or within trials leaves every finished one, and the run can be finished."""
    record, text = smoke_record()
    folder = tmp_path / "run"
    archive.create(folder, record, text)
    end = conduct(record, folder, {}, Quiet(interrupt_at=2))
    assert end.interrupted
    assert len(archive.read(folder).trials) == 2
    assert not conduct(record, folder, {}, Quiet()).interrupted
    assert len(archive.read(folder).trials) == 4


def test_memory_that_runs_out_ends_a_trial_and_not_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other trials are done, the reason is told at the end, and the run can be finished."""
    record, text = smoke_record()
    folder = tmp_path / "run"
    archive.create(folder, record, text)
    done = Conductor.one

    def one(self: Conductor, planned: PlannedTrial, target: Target) -> TrialRecord:
        if planned.index == 1:
            raise MemoryError
        return done(self, planned, target)

    with monkeypatch.context() as patch:
        patch.setattr(Conductor, "one", one)
        end = conduct(record, folder, {}, Quiet())
    assert [text.partition(":")[0] for text in end.failed] == ["memory ran out in trial 2"]
    assert [trial.record.index for trial in archive.read(folder).trials] == [0, 2, 3]
    assert conduct(record, folder, {}, Quiet()).failed == ()
    assert len(archive.read(folder).trials) == 4


def test_what_is_renamed_into_place_is_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it holds before its name is there, then the name: a crash of the host leaves it whole or not at all."""
    file, seen = tmp_path / "trial.json", list[bool]()
    synchronise = os.fsync

    def watched(descriptor: int) -> None:
        seen.append(file.exists())
        synchronise(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    archive.write_whole(file, "{}")
    assert seen == [False, True]  # what it holds, then its name
    assert file.read_text() == "{}"


def test_a_timeline_of_an_older_version_reads_with_gaps(finished: Path) -> None:
    """Columns that it lacks are there and unknown."""
    [trial, *_] = archive.read(finished).trials
    file = trial.folder / "timeline.parquet"
    pd.read_parquet(file).drop(columns=list(LATER_COLUMNS)).to_parquet(file)
    frame = archive.read_timeline(trial)
    assert list(frame) == list(TIMELINE_COLUMNS)
    assert frame["broker_threads"].isna().all()
    assert frame["received"].notna().all()


def test_pauses_of_the_host_are_read_back_and_checked(finished: Path) -> None:
    """Without a meter there are none; a file that holds something else is a fault, and no traceback."""
    trial = archive.read(finished).trials[0]
    assert archive.read_pauses(trial).empty
    held = pd.DataFrame({"cpu": [0], "begin_ns": [5], "end_ns": [9]})
    held.to_parquet(trial.folder / archive.PAUSES, index=False)
    pd.testing.assert_frame_equal(archive.read_pauses(trial), held)
    for wrong in (held.rename(columns={"cpu": "core"}), held.astype(float), held.astype(str)):
        wrong.to_parquet(trial.folder / archive.PAUSES, index=False)
        with pytest.raises(ValueError, match="whole numbers cpu, begin_ns, end_ns"):
            archive.read_pauses(trial)
    (trial.folder / archive.PAUSES).write_bytes(b"no parquet")
    with pytest.raises(ValueError, match="arquet"):
        archive.read_pauses(trial)


def test_nothing_that_lies_in_a_folder_is_written_through(tmp_path: Path) -> None:
    """A stranger's folder may hold a link where a part is written, or in the place of a folder."""
    precious = tmp_path / "precious"
    precious.write_text("mine")
    for name in ("run.json", f".run.json.{os.getpid()}.part", ".run.json.part"):
        (tmp_path / name).symlink_to(precious)
    archive.write_whole(tmp_path / "run.json", "new")
    assert precious.read_text() == "mine"
    assert not (tmp_path / "run.json").is_symlink()
    assert (tmp_path / "run.json").read_text() == "new"


@pytest.mark.parametrize("name", ["trials", "attempts"])
def test_folders_of_a_run_are_no_links(finished: Path, tmp_path: Path, name: str) -> None:
    """Neither for a reader nor for who goes on with it."""
    elsewhere = tmp_path / "elsewhere"
    if (finished / name).exists():
        (finished / name).rename(elsewhere)
    else:
        elsewhere.mkdir()
    (finished / name).symlink_to(elsewhere)
    with pytest.raises(archive.ArchiveError, match="symbolic link"):
        archive.read(finished)
    with pytest.raises(archive.ArchiveError, match="symbolic link"):
        archive.trial_folder(finished, 0, "calm", "steady")
