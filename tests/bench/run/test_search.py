"""A search on the memory broker: normal trials in a folder whose plan grew, and the capacity found exactly."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from bench.record.histogram import new_histogram
from bench.results import archive
from bench.results.records import Note, RunRecord, TagRecord, TrialOutcome, TrialRecord
from bench.results.search import SearchRecord
from bench.run.rate_evidence import invalid, percentile_ns, reading
from bench.run.search import SearchOptions, search
from bench.scenario.loading import load_scenario
from bench.scenario.products import describe
from bench.scenario.scenario import RateLoad, Workload
from bench.stats.rate_search import Rules, Taken
from bench.units import NS_PER_S
from reports.dataset import load
from reports.summarise import summarise
from tests.quiet import Quiet

CAPACITY = 400


class Watch(Quiet):
    """Remembers verdicts too."""

    def __init__(self, interrupt_at: int | None = None) -> None:
        """As above."""
        super().__init__(interrupt_at)
        self.verdicts: list[tuple[str, str, float]] = []

    def judged(self, target: str, taken: Taken, left_s: float) -> None:
        """Remember."""
        self.verdicts.append((target, taken.verdict, left_s))


def prepared(tmp_path: Path, *, stall: str = "[]", curve: bool = False) -> tuple[RunRecord, Path, SearchOptions]:
    """Return a search of two memory brokers, the second with stalls, that has not begun."""
    loaded = load_scenario(
        "smoke", [f"brokers.0.capacity={CAPACITY}", f"brokers.1.capacity={CAPACITY}", f"brokers.1.stalls={stall}"]
    )
    wanted = SearchOptions(
        base=loaded.scenario.workloads[0],
        rules=Rules(factor=1.25),
        short_ns=2 * NS_PER_S,
        hold_ns=8 * NS_PER_S,
        objective_ns=None,
        quick=True,
        curve=curve,
    )
    given = loaded.scenario.model_copy(update={"workloads": (wanted.guess(),)})
    record = RunRecord(
        run_id="search-1", started_utc="2026-01-01T00:00:00+00:00", mode="quick", scenario=given, seed=1,
        overrides=(), command="bench search smoke", plan=(), tools={}, host={}, images={}, purpose="search",
        products=describe(given),
    )  # fmt: skip
    folder = tmp_path / "found"
    archive.create(folder, record, loaded.text)
    return record, folder, wanted


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, SearchRecord, Watch]:
    """A finished search with a curve; the second broker stops after 6 s of each trial, so that only holds see it."""
    record, folder, wanted = prepared(
        tmp_path_factory.mktemp("search"), stall="[{ at = '6s', length = '1s' }]", curve=True
    )
    watch = Watch()
    found, end = search(record, folder, wanted, {}, watch)
    assert (end.failed, end.interrupted) == ((), False)
    return folder, found, watch


@pytest.mark.compiled
def test_the_capacity_is_found(searched: tuple[Path, SearchRecord, Watch]) -> None:
    """Of the sound broker: within [.95 μ, 1.01 μ], both ends held; the one that stalls in holds is found lower."""
    sound, stalling = searched[1].answers
    assert sound.ended == "found"
    assert sound.low is not None
    assert sound.high is not None
    assert 0.95 * CAPACITY <= sound.low <= 1.01 * CAPACITY < sound.high
    assert "arrived in time" in sound.why or "backlog" in sound.why
    assert stalling.low is None or stalling.low < 0.95 * CAPACITY
    held = {(s.target, s.rate): s.verdict for s in searched[1].steps if s.hold}
    assert held[sound.target, sound.low] == "pass"
    assert held[sound.target, sound.high] == "fail"


@pytest.mark.compiled
def test_every_step_is_a_normal_trial(searched: tuple[Path, SearchRecord, Watch]) -> None:
    """The folder reads as any other: each planned trial is there, its workload in the scenario and for its target."""
    folder, found, _ = searched
    run = archive.read(folder)
    assert len(run.trials) == len(run.record.plan) == 2 + len(found.steps) + len(found.curve)
    workloads = {workload.name: workload for workload in run.record.scenario.workloads}
    held = {step.index: step.hold for step in found.steps}
    for line in run.record.plan:
        assert workloads[line.workload].is_for(line.target)
        load = workloads[line.workload].load
        assert line.step is not None
        assert line.step.rate == (load.rate if isinstance(load, RateLoad) else None)
        assert line.step.workload == found.workload
        assert held.get(line.index) in {"short": {False}, "hold": {True}}.get(line.step.kind, {None})
    assert run.left() == ()
    assert archive.read_search(folder) == found


@pytest.mark.compiled
def test_a_search_recorded_before_draws_the_same(searched: tuple[Path, SearchRecord, Watch], tmp_path: Path) -> None:
    """Of the version whose trials were told by the names of their workloads alone: rows and curves have its numbers."""
    older = Path(shutil.copytree(searched[0], tmp_path / "older"))
    run = json.loads((older / "run.json").read_text()) | {"schema_version": 2}
    for line in run["plan"]:
        del line["paired"], line["step"]
        place = archive.place_of(older, line["index"], line["target"], line["workload"])
        line["workload"] = f"steady-{line['workload']}"
        place = place.rename(archive.place_of(older, line["index"], line["target"], line["workload"]))
        trial = json.loads((place / "trial.json").read_text())
        changes = {"schema_version": 2, "workload": line["workload"]}
        (place / "trial.json").write_text(json.dumps(trial | changes))
    for workload in run["scenario"]["workloads"]:
        del workload["part_of"]
        workload["name"] = f"steady-{workload['name']}"
    (older / "run.json").write_text(json.dumps(run))
    assert [one.step for one in archive.read(older).record.plan] == [
        one.step for one in archive.read(searched[0]).record.plan
    ]
    then, now = (summarise(load(folder)) for folder in (older, searched[0]))
    assert then.knees == now.knees
    assert [answer.figures for answer in then.answers] == [answer.figures for answer in now.answers]
    assert [cell.model_copy(update={"workload": ""}) for cell in then.cells] == [
        cell.model_copy(update={"workload": ""}) for cell in now.cells
    ]
    names = [answer.question for answer in now.answers if len(answer.workloads) > 1]
    assert len(set(names)) == len(names)


@pytest.mark.compiled
def test_targets_take_turns(searched: tuple[Path, SearchRecord, Watch]) -> None:
    """The first steps alternate between the targets; the watch hears each verdict and a finite time left."""
    _, found, watch = searched
    assert [step.target for step in found.steps[:6]] == ["calm", "stalling"] * 3
    assert [(step.target, step.verdict) for step in found.steps] == [word[:2] for word in watch.verdicts]
    assert watch.verdicts[-1][2] < watch.verdicts[0][2]


@pytest.mark.compiled
def test_the_curve_knows_what_is_saturated(searched: tuple[Path, SearchRecord, Watch]) -> None:
    """Points below the capacity are not saturated and p99 rises with the load; each has its trial."""
    calm = sorted((p for p in searched[1].curve if p.target == "calm"), key=lambda point: point.rate)
    assert len(calm) >= 9
    assert not any(point.saturated for point in calm if point.rate < 0.95 * CAPACITY)
    assert all(point.p50_ns and point.p99_ns and point.p99_ns >= point.p50_ns for point in calm)


@pytest.mark.compiled
def test_an_interrupted_search_keeps_what_it_found(tmp_path: Path) -> None:
    """Ctrl-C in a step: search.json holds the steps before it, and the answer says that it was interrupted."""
    record, folder, wanted = prepared(tmp_path)
    _, end = search(record, folder, wanted, {}, Watch(interrupt_at=6))
    assert end.interrupted
    kept = archive.read_search(folder)
    assert kept is not None
    assert len(kept.steps) == 4
    assert {one.ended for one in kept.answers} == {"interrupted"}


def test_a_damaged_search_is_named(tmp_path: Path) -> None:
    """A folder without a search has none; a damaged file is an error with its name."""
    assert archive.read_search(tmp_path) is None
    (tmp_path / "search.json").write_text("{")
    with pytest.raises(archive.ArchiveError, match=r"search\.json is damaged"):
        archive.read_search(tmp_path)


@pytest.mark.compiled
def test_what_a_trial_showed(searched: tuple[Path, SearchRecord, Watch]) -> None:
    """Offered, achieved and backlog come from the measured part; ends of the broker's doing are no invalid trials."""
    run = archive.read(searched[0])
    index = next(line.index for line in run.record.plan if line.step and line.step.kind == "short")
    trial = run.trials[index]
    record, frame = trial.record, archive.read_timeline(trial)
    seen = reading(record, frame)
    assert seen.offered == record.offered == frame.loc[frame["phase"] == "measure", "offered"].sum()
    assert len(seen.backlog) == 20
    assert seen.p99_ns == percentile_ns(record, 99)
    assert invalid(record, latency_counts=True) == ()
    assert invalid(_ended(record, TrialOutcome.BROKER_FAILED), latency_counts=True) == ()
    assert reading(_ended(record, TrialOutcome.OVERLOADED), frame).ended == "overloaded: why"
    assert invalid(_ended(record, TrialOutcome.WORKER_FAILED), latency_counts=True) == ("why",)


@pytest.mark.compiled
def test_lateness_that_moves_no_rate_spoils_latency_alone(searched: tuple[Path, SearchRecord, Watch]) -> None:
    """A hard send-lag of less than 1 % of the measured part counts only where latency does; other faults always."""
    record = archive.read(searched[0]).trials[-1].record
    notes = tuple(Note(code=code, hard=True, text="bad") for code in ("send-lag", "shared-cores"))
    late = record.model_copy(update={"health": notes})
    assert invalid(late, latency_counts=False) == ()
    assert invalid(late, latency_counts=True) == ("send-lag: bad",)
    very_late = late.model_copy(update={"latency": late.latency | {"send_lag": _late(50_000_000)}})
    assert invalid(very_late, latency_counts=False) == ("send-lag: bad",)
    stolen = record.model_copy(update={"health": (Note(code="steal", hard=True, text="bad"),)})
    assert invalid(stolen, latency_counts=False) == ("steal: bad",)


def _late(ns: int) -> TagRecord:
    histogram = new_histogram()
    histogram.record_value(ns)
    return TagRecord(count=1, histogram=histogram.encode().decode(), negative=0, out_of_range=0)


def _ended(record: TrialRecord, outcome: TrialOutcome) -> TrialRecord:
    return record.model_copy(update={"outcome": outcome, "reason": "why"})


def test_names_of_long_workloads_fit(tmp_path: Path) -> None:
    """The longest workload name and the highest rate give a name that folders and records can hold."""
    _, _, wanted = prepared(tmp_path)
    longest = replace(wanted, base=wanted.base.model_copy(update={"name": "a-name-of-thirty-two-characters."}))
    for made in (longest.at(9_999_000.0, "short"), longest.at(1234.567891234, "hold"), longest.guess()):
        assert Workload.model_validate(made.model_dump(mode="json")) == made
        assert made.part_of.startswith(longest.base.name)
