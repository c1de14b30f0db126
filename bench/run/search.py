"""A search on brokers: each step a normal trial in a results folder whose plan grows as the search goes.

Each target first runs a closed loop, which warms its broker and whose throughput is where
its search begins. Then the targets' searches (`bench.stats.rate_search`) take turns, step by
step, so that a disturbance of the host hits all of them alike. `search.json` is written
after each step.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import pandas as pd

from bench.pauses.meter import PauseMeter
from bench.results import archive
from bench.results.records import PlannedTrial, RunRecord, SearchStep, StepKind, TrialRecord
from bench.results.search import CurvePoint, FailureRecord, SearchRecord, StepRecord, SustainedRate
from bench.run.conductor import Conductor, RunEnd, Watch
from bench.run.precompile import warm_up
from bench.run.rate_evidence import invalid, percentile_ns, reading
from bench.run.running_brokers import Fleet
from bench.run.scratch_folder import scratch_folder
from bench.scenario.scenario import InFlightLoad, MemoryBroker, RateLoad, Target, Workload
from bench.stats.curve import SATURATED, CurveTrial, points
from bench.stats.rate_search import NextTrial, Rules, Search, Taken
from bench.stats.sustained import Criterion, Failure, by_far, failures
from bench.units import NS_PER_S
from brokers.base import BrokerError
from brokers.places.limits import root_group

CLIENT_BOUND_CODE = "client-bound"
_BACKLOG_SHARE, _BACKLOG_S = 0.3, 3.0
"""Share of the measured part, and at most so many seconds: that much behind, a trial ends early, as not sustained."""
_LEAST_BACKLOG = 1_000
_MOST_FAILURES = 2
_OVERHEAD_S = 4.0
"""About what a trial takes beside its measured part: workers' start, settling, drain."""


class SearchWatch(Watch, Protocol):
    """Who looks at a search while it goes on."""

    def judged(self, target: str, taken: Taken, left_s: float) -> None:
        """Take the verdict of a step, and about how many seconds all searches still take."""


@dataclass(frozen=True)
class SearchOptions:
    """What to search.

    Attributes:
        base: workload whose rate is searched.
        rules: how.
        short_ns, hold_ns: measured part of short trials and of holds, whole seconds.
        objective_ns: highest p99 of the response that is allowed; None: any.
        quick: whether only a quick look is wanted, as the record says.
        curve: whether to measure latency against load afterwards.
        consume_existing: whether messages in queues that the user named may be consumed.
    """

    base: Workload
    rules: Rules
    short_ns: int
    hold_ns: int
    objective_ns: int | None
    quick: bool
    curve: bool
    consume_existing: bool = False

    def guess(self) -> Workload:
        """Return the closed loop that warms a broker and says where to begin."""
        window = self.base.confirm_window or min(self.base.prefetch, 1_000)
        bound = min(window * self.base.producers, 1_000_000)
        load = InFlightLoad(kind="in_flight", in_flight=(bound,))
        changes = {"load": load, "spin": 0, "coalesce": 0, "duration": self.short_ns}
        return self.base.model_copy(
            update=changes | {"name": "guess", "part_of": self.base.name, "at": {}, "description": ""}
        )

    def at(self, rate: float, kind: StepKind) -> Workload:
        """Return the workload of one step, called by its rate and kind."""
        load, length_ns = self.base.load, self.hold_ns if kind == "hold" else self.short_ns
        behind_s = min(_BACKLOG_SHARE * length_ns / NS_PER_S, _BACKLOG_S)
        backlog = max(_LEAST_BACKLOG, round(rate * behind_s))
        arrivals = load.arrivals if isinstance(load, RateLoad) else "constant"
        stepped = RateLoad(kind="rate", rate=rate, arrivals=arrivals, max_backlog=backlog)
        return self.base.model_copy(
            update={
                "name": f"{rate:.10g}-{kind}",
                "part_of": f"{self.base.name}-hold" if kind == "hold" else self.base.name,
                "at": {},
                "description": "",
                "load": stepped.model_copy(update={"stall_after": load.stall_after}),
                "duration": length_ns,
            }
        )

    def record(self) -> SearchRecord:
        """Return the record of a search that has not begun."""
        rules = self.rules
        return SearchRecord(
            workload=self.base.name,
            quick=self.quick,
            objective_p99_ns=self.objective_ns,
            short_s=self.short_ns // NS_PER_S,
            hold_s=self.hold_ns // NS_PER_S,
            factor=rules.factor,
            precision=rules.precision,
            above=rules.above,
            votes=rules.votes,
        )


def search(
    run: RunRecord, folder: Path, wanted: SearchOptions, image_roots: Mapping[str, Path], watch: SearchWatch
) -> tuple[SearchRecord, RunEnd]:
    """Search every target of a run into its results folder; return what was found and how it ended.

    A KeyboardInterrupt ends it after cleaning up; `search.json` then holds what was found by then.

    Raises:
        BrokerError: a broker could not be stopped.
        ArchiveError: results could not be written.
    """
    warm_up((target.driver for target in run.scenario.targets), watch.say)
    with scratch_folder() as scratch, PauseMeter(root_group()) as meter:
        fleet = Fleet(run.scenario, scratch, image_roots, watch.say, consume_existing=wanted.consume_existing)
        conductor = Conductor(run, folder, scratch, fleet, watch, meter)
        searcher = _Searcher(run, folder, wanted, fleet, conductor, watch)
        try:
            found, end = searcher.run()
            if not end.interrupted:
                conductor.probe()
            return found, end
        finally:
            fleet.stop_all()


@dataclass
class _TargetSearch:
    """The search of one target."""

    target: Target
    machine: Search | None = None
    guess: float = 0.0
    failed: list[str] = field(default_factory=list)
    p99_ns: dict[float, float | None] = field(default_factory=dict)
    client_bound: set[float] = field(default_factory=set)
    seconds: float = 0.0

    @property
    def open(self) -> bool:
        """Whether there is more to do."""
        return len(self.failed) < _MOST_FAILURES and (self.machine is None or self.machine.next_step() is not None)

    def sustained(self, workload: str) -> SustainedRate:
        """Return the answer as it stands; one that is not finished is one that was interrupted, if now."""
        machine = self.machine or Search(Rules(), 1.0)
        found = machine.found()
        shorts = sum(not taken.step.hold for taken in machine.taken)
        unfinished = "failed" if len(self.failed) >= _MOST_FAILURES else "interrupted"
        return SustainedRate(
            target=self.target.name,
            workload=workload,
            guess=self.guess,
            low=found.low,
            high=found.high,
            why="; ".join(failure.text for failure in found.why),
            client_bound=found.ended == "measurement" or found.high in self.client_bound,
            ended=unfinished if machine.next_step() else found.ended,
            p99_ns=None if found.low is None else self.p99_ns.get(found.low),
            short_trials=shorts,
            holds=len(machine.taken) - shorts,
            seconds=round(self.seconds, 1),
        )


class _Searcher:
    def __init__(
        self,
        run: RunRecord,
        folder: Path,
        wanted: SearchOptions,
        fleet: Fleet,
        conductor: Conductor,
        watch: SearchWatch,
    ) -> None:
        self._run = run
        self._folder = folder
        self._wanted = wanted
        self._fleet = fleet
        self._conductor = conductor
        self._watch = watch
        self._courses = [_TargetSearch(target) for target in run.scenario.targets]
        self._steps: list[StepRecord] = []
        self._curve: list[CurvePoint] = []
        self._lengths: dict[bool, list[float]] = {False: [], True: []}

    def run(self) -> tuple[SearchRecord, RunEnd]:
        interrupted = False
        try:
            while any(course.open for course in self._courses):
                for course in self._courses:
                    self._advance(course)
                    self._write()
            if self._wanted.curve:
                self._draw()
        except KeyboardInterrupt:
            interrupted = True
        record = self._write()
        failed = tuple(course.failed[-1] for course in self._courses if len(course.failed) >= _MOST_FAILURES)
        return record, RunEnd(failed, interrupted)

    def _write(self) -> SearchRecord:
        found = tuple(course.sustained(self._wanted.base.name) for course in self._courses)
        changes = {"steps": tuple(self._steps), "answers": found, "curve": tuple(self._curve)}
        record = self._wanted.record().model_copy(update=changes)
        archive.write_search(self._folder, record)
        return record

    def _advance(self, course: _TargetSearch) -> None:
        if not course.open:
            return
        if course.machine is None:
            self._tried(course, lambda: self._guess(course))
            return
        step = course.machine.next_step()
        if step is not None:
            machine = course.machine
            self._tried(course, lambda: self._step(course, machine, step))

    def _tried(self, course: _TargetSearch, what: Callable[[], None]) -> None:
        began = time.monotonic()
        try:
            what()
        except BrokerError as error:
            course.failed.append(str(error))
            last = len(course.failed) >= _MOST_FAILURES
            self._watch.say(f"{course.target.name} failed: {'it is given up' if last else 'trying once more'}")
        course.seconds += time.monotonic() - began

    def _guess(self, course: _TargetSearch) -> None:
        record = self._trial(course.target, "guess")
        rate = record.achieved_rate
        if rate <= 0 and isinstance(self._wanted.base.load, RateLoad):
            rate = self._wanted.base.load.rate
        course.guess = rate
        course.machine = Search(self._wanted.rules, max(rate, self._wanted.rules.least))

    def _step(self, course: _TargetSearch, machine: Search, step: NextTrial) -> None:
        began = time.monotonic()
        record = self._trial(course.target, "hold" if step.hold else "short", step.rate)
        seen = reading(record, self._timeline(record))
        faults = invalid(record, latency_counts=self._wanted.objective_ns is not None)
        judged = failures(seen, self._wanted.objective_ns)
        if faults:
            judged = tuple(Failure(Criterion.INVALID, fault) for fault in faults)
        taken = machine.take(judged, valid=not faults, by_far=by_far(seen))
        if step.hold and taken.verdict == "pass":
            course.p99_ns[step.rate] = seen.p99_ns
        if step.hold and any(note.code == CLIENT_BOUND_CODE for note in record.health):
            course.client_bound.add(step.rate)
        self._lengths[step.hold].append(time.monotonic() - began)
        self._steps.append(
            StepRecord(
                target=course.target.name,
                index=record.index,
                rate=step.rate,
                hold=step.hold,
                verdict=taken.verdict,
                failures=_records(judged),
                share=seen.achieved / seen.offered if seen.offered else None,
                p99_ns=seen.p99_ns,
            )
        )
        self._watch.judged(course.target.name, taken, self._left_s())

    def _trial(self, target: Target, kind: StepKind, rate: float | None = None) -> TrialRecord:
        """Do one trial; a broker that was warmed for the target at one rate counts as warm at all of them."""
        workload = self._wanted.guess() if rate is None else self._wanted.at(rate, kind)
        step = SearchStep(workload=self._wanted.base.name, kind=kind, rate=rate)
        planned = self._conductor.extend(workload, target.name, step)
        self._watch.begin(planned, planned.index + 1, planned.index + 1)
        if isinstance(self._run.scenario.broker(target.broker), MemoryBroker):
            record = self._conductor.one(planned, target)
        else:
            record = self._on_warm(planned, target, workload)
        self._watch.end(record)
        return record

    def _on_warm(self, planned: PlannedTrial, target: Target, workload: Workload) -> TrialRecord:
        warm = self._fleet.get(target.broker, planned.repetition).warm
        whole, here = (target.name, self._wanted.base.name), (target.name, workload.name)
        if whole in warm:
            warm.add(here)
        record = self._conductor.one(planned, target)
        if here in warm:
            warm.add(whole)
        return record

    def _timeline(self, record: TrialRecord) -> pd.DataFrame:
        place = archive.place_of(self._folder, record.index, record.target, record.workload)
        return archive.read_timeline(archive.Trial(record, place))

    def _left_s(self) -> float:
        shorts, holds = (
            sum(counts)
            for counts in zip(*(c.machine.left() if c.machine else (15, 2) for c in self._courses), strict=True)
        )
        wanted, left = self._wanted, 0.0
        for hold, number in ((False, shorts), (True, holds)):
            seen = self._lengths[hold]
            expected = (wanted.hold_ns if hold else wanted.short_ns) / NS_PER_S + _OVERHEAD_S
            left += number * (sum(seen) / len(seen) if seen else expected)
        return left

    def _draw(self) -> None:
        """Measure latency against load, every target in one random order."""
        sustained = {
            course.target.name: found.low
            for course in self._courses
            if course.machine and (found := course.machine.found()).low is not None
        }
        wanted = points({name: low for name, low in sustained.items() if low is not None}, self._run.seed)
        targets = {course.target.name: course for course in self._courses}
        for number, point in enumerate(wanted, start=1):
            self._watch.say(f"latency against load: point {number} of {len(wanted)}")
            course = targets[point.target]
            self._tried(course, lambda course=course, point=point: self._point(course, point))  # type: ignore[misc]
            self._write()

    def _point(self, course: _TargetSearch, point: CurveTrial) -> None:
        record = self._trial(course.target, "curve", point.rate)
        seen = reading(record, self._timeline(record))
        self._curve.append(
            CurvePoint(
                target=point.target,
                index=record.index,
                rate=point.rate,
                share=point.share,
                achieved=record.achieved_rate,
                p50_ns=percentile_ns(record, 50),
                p99_ns=seen.p99_ns,
                saturated=not seen.offered or seen.achieved < SATURATED * seen.offered,
                valid=not invalid(record, latency_counts=True),
            )
        )


def _records(found: tuple[Failure, ...]) -> tuple[FailureRecord, ...]:
    return tuple(FailureRecord(criterion=one.criterion.value, text=one.text) for one in found)
