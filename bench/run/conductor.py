"""A run: every trial of the plan in its order, even if some of them fail.

A trial that fails is written with its reason and the run goes on; a run that is stopped
keeps every finished trial, and `conduct` on the same folder does the rest.
"""

import contextlib
import fcntl
import os
import secrets
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bench.ceiling.stored import ceilings_of
from bench.host.canary import Canaries
from bench.pauses.meter import PauseMeter
from bench.pauses.outlook import LOOK_S, look
from bench.plan.plan import estimate_ns, extended, made_up
from bench.results import archive
from bench.results.cost import IdleCost
from bench.results.records import BROKE_OFF, PlannedTrial, RunRecord, SearchStep, TrialRecord
from bench.run.abort_condition import Certainty, breach
from bench.run.durability_probe import probe_fleet
from bench.run.health import AWAY
from bench.run.idle_broker import idle_cost
from bench.run.memory_trial import run_inline
from bench.run.path_probe import measure_paths
from bench.run.phases import WarmRule
from bench.run.pilot import PLAN, capacity, drain, has_pilot, pilot
from bench.run.precompile import warm_up
from bench.run.preflight import UnfitError, misfits
from bench.run.running_brokers import Fleet, Instance, broker_record
from bench.run.scratch_folder import scratch_folder
from bench.run.trial import Conditions, Live, Raw, run_trial
from bench.run.trial_record import Concluded, conclude
from bench.scenario.products import starts
from bench.scenario.scenario import AbsoluteLimit, MemoryBroker, Plan, RateLoad, Target, Workload
from bench.topology.layout import Layout
from bench.units import NS_PER_S
from brokers.base import Broker, BrokerError
from brokers.log_patterns import since
from brokers.places.limits import root_group
from brokers.product import Facts

_MOST_START_FAILURES = 2


def laid_out(broker: Broker, workload: Workload, prefix: str, seed: int) -> Layout:
    """Return a workload as it is laid out on a broker for one trial, every name beginning with a prefix of its own."""
    return workload.laid_out(prefix, broker.queues(prefix, workload.plain_queues), seed)


class Watch(Protocol):
    """Who looks at a run while it goes on."""

    def say(self, text: str) -> None:
        """Take a word on what is being done."""

    def begin(self, planned: PlannedTrial, number: int, of: int) -> None:
        """Take that a trial begins: the `number`-th of those left, from 1."""

    def live(self, live: Live) -> None:
        """Take how the trial goes; a few times a second."""

    def end(self, record: TrialRecord) -> None:
        """Take that a trial is finished and written."""


@dataclass(frozen=True)
class RunEnd:
    """How a run ended.

    Attributes:
        failed: words on what kept others from running.
        interrupted: whether the user ended it.
        early: which condition ended it, and where; empty where none did.
    """

    failed: tuple[str, ...]
    interrupted: bool
    early: str = ""


class _HopelessError(Exception):
    """A trial met a condition on which the run is to end."""


def conduct(
    run: RunRecord,
    folder: Path,
    image_roots: Mapping[str, Path],
    watch: Watch,
    *,
    consume_existing: bool = False,
    abort_on: Sequence[AbsoluteLimit] = (),
) -> RunEnd:
    """Run what is left of a plan into a results folder.

    A KeyboardInterrupt ends the run after cleaning up; the trial under way is not kept. A trial that does not keep to
    a limit of `abort_on` is the last one.

    Args:
        run: the run's record.
        folder: its results folder, made already.
        image_roots: root file systems by recipe.
        watch: who looks on.
        consume_existing: whether messages in queues that the user named may be consumed.
        abort_on: limits without which the rest of the run is of no use.

    Raises:
        BrokerError: a broker could not be stopped.
        UnfitError: a broker does not allow what a workload asks of it.
        ArchiveError, OSError: results could not be written; every finished trial is kept.
    """
    with held(folder):
        warm_up((target.driver for target in run.scenario.targets), watch.say)
        return _conduct(run, folder, image_roots, watch, abort_on, consume_existing=consume_existing)


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold a results folder, so that no other process writes into it at the same time.

    Raises:
        ArchiveError: another one does.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with contextlib.suppress(OSError):  # a file system without locks
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                message = f"{folder} is being written by another run: wait until that one has ended"
                raise archive.ArchiveError(message) from None
        yield
    finally:
        os.close(descriptor)


def _conduct(
    run: RunRecord,
    folder: Path,
    image_roots: Mapping[str, Path],
    watch: Watch,
    abort_on: Sequence[AbsoluteLimit],
    *,
    consume_existing: bool,
) -> RunEnd:
    with scratch_folder() as scratch, contextlib.ExitStack() as stack:
        fleet = Fleet(run.scenario, scratch, image_roots, watch.say, consume_existing=consume_existing)
        meter = stack.enter_context(PauseMeter(root_group())) if run.scenario.has_brokers else None
        conductor = Conductor(run, folder, scratch, fleet, watch, meter, abort_on)
        try:
            return conductor.run_all()
        finally:
            fleet.stop_all()


class Conductor:
    """Does trials, one after the other, into a results folder."""

    def __init__(
        self,
        run: RunRecord,
        folder: Path,
        scratch: Path,
        fleet: Fleet,
        watch: Watch,
        meter: PauseMeter | None = None,
        abort_on: Sequence[AbsoluteLimit] = (),
    ) -> None:
        """Begin; arguments as of `conduct`, with brokers from `running_brokers` and workers' files below `scratch`."""
        self._meter = meter
        self._abort_on = abort_on
        self._run = run
        self._folder = folder
        self._scratch = scratch
        self._fleet = fleet
        self._watch = watch
        self._start_failures: dict[str, list[str]] = {}
        self._out_of_memory: list[str] = []
        self._token = secrets.token_hex(3)
        self._ceilings = ceilings_of(target.driver for target in run.scenario.targets)
        self._canaries = Canaries()
        self._idle: dict[str, IdleCost | None] = {}
        self._drains: dict[str, float | None] = {}
        self._tried: set[str] = set()
        self._unkept = 0

    def run_all(self) -> RunEnd:
        """Do what is left of the plan."""
        kept = archive.read(self._folder)
        left = kept.left()
        # What was begun by one rule goes on by it.
        kept_drains = {one.record.workload: one.record.pauses.drain for one in kept.trials if one.record.pauses}
        self._drains |= {name: drain for name, drain in kept_drains.items() if drain is not None}
        self._canaries = Canaries([trial.record.canary for trial in kept.trials if trial.record.canary is not None])
        self._note_early("")
        try:
            if self._meter is not None and left:
                # No longer than a twentieth of what is planned: a trial of a few seconds shall not wait for it.
                seconds = min(LOOK_S, max(1.0, estimate_ns(self._run.scenario, left) / NS_PER_S / 20))
                self._watch.say(look(self._meter, seconds))
            for number, planned in enumerate(left, start=1):
                self._next(planned, number, len(left))
            if left:
                self._make_up()
            if left:
                self.probe()
        except KeyboardInterrupt:
            return RunEnd(self._failures(), interrupted=True)
        except _HopelessError as met:
            self._note_early(str(met))
            return RunEnd(self._failures(), interrupted=False, early=str(met))
        return RunEnd(self._failures(), interrupted=False)

    def _note_early(self, why: str) -> None:
        """Record why the run ended early; nothing where it goes on."""
        if why != self._run.ended_early:
            self._run = self._run.model_copy(update={"ended_early": why})
            archive.rewrite(self._folder, self._run)

    def _make_up(self) -> None:
        """Do repetitions once more in which the host was away for too long, while there is budget for it."""
        while again := self._again():
            self._watch.say(f"once more, as the host was away for too long: {again[0].workload}, {len(again)} trials")
            for number, planned in enumerate(again, start=1):
                self._next(planned, number, len(again))

    def _again(self) -> list[PlannedTrial]:
        """Plan one more repetition for the first trial that nobody made up for yet; nothing where there is none."""
        done = {(one.workload, one.makes_up_for) for one in self._run.plan}
        for trial in archive.read(self._folder).trials:
            record = trial.record
            away = any(note.hard and note.code == AWAY for note in record.health)
            if away and (record.workload, record.repetition) not in done:
                self._run, again = made_up(self._run, record.workload, record.repetition)
                if again:
                    archive.rewrite(self._folder, self._run)
                return again
        return []

    def _next(self, planned: PlannedTrial, number: int, of: int) -> None:
        target = next(t for t in self._run.scenario.targets if t.name == planned.target)
        if self._has_failed(target.broker):
            return
        self._watch.begin(planned, number, of)
        again = False
        while not self._has_failed(target.broker):
            try:
                record = self.one(planned, target)
            except BrokerError as error:
                failures = self._start_failures.setdefault(target.broker, [])
                failures.append(str(error))
                # The reason is told once, at the end of the run, where it is not scrolled away.
                last = len(failures) >= _MOST_START_FAILURES
                self._watch.say(f"{target.broker} failed: {'its trials are left out' if last else 'trying once more'}")
                again = True
            except MemoryError:
                why = f"memory ran out in trial {planned.index + 1}: fewer messages, or a host with more"
                self._watch.say(why)
                self._out_of_memory.append(why)
                return
            else:
                if again:  # what went well the second time kept nothing from running
                    self._start_failures[target.broker].pop()
                self._watch.end(record)
                if self._abort_on and (why := breach(record, self._abort_on)):
                    raise _HopelessError(why)
                return

    def _has_failed(self, broker: str) -> bool:
        return len(self._start_failures.get(broker, ())) >= _MOST_START_FAILURES

    def probe(self) -> None:
        """Look at what brokers write for a confirmed message, and at bare paths, once no broker is timed any more.

        Raises:
            ArchiveError: what was found cannot be written.
        """
        found = probe_fleet(self._run.scenario, self._fleet, self._scratch, self._watch.say)
        if found is not None:
            archive.write_durability(self._folder, found.joined(archive.read(self._folder).durability))
        if self._run.scenario.plan.bare_paths:
            self._fleet.stop_all()
            paths = measure_paths(self._run.scenario, self._fleet.image_roots, self._scratch, self._watch.say)
            self._run = self._run.model_copy(update={"bare_paths": paths})
            archive.rewrite(self._folder, self._run)

    def _failures(self) -> tuple[str, ...]:
        return (*(texts[-1] for texts in self._start_failures.values() if texts), *self._out_of_memory[-1:])

    def extend(self, workload: Workload, target: str, step: SearchStep) -> PlannedTrial:
        """Add a trial to the plan while a search goes on, and record that before the trial begins.

        Raises:
            ArchiveError: it cannot be written.
        """
        self._run, planned = extended(self._run, workload, target, step)
        archive.rewrite(self._folder, self._run)
        return planned

    def one(self, planned: PlannedTrial, target: Target) -> TrialRecord:
        """Do one trial of the plan and write it.

        Raises:
            BrokerError: its broker could not be started or prepared.
            ArchiveError: it could not be written.
        """
        workload = next(w for w in self._run.scenario.workloads if w.name == planned.workload)
        settings = self._run.scenario.broker(target.broker)
        folder = archive.trial_folder(self._folder, planned.index, planned.target, planned.workload)
        if isinstance(settings, MemoryBroker):
            concluded, log = self._in_memory(planned, workload, settings), ""
        else:
            concluded, log = self._on_broker(planned, target, workload)
        concluded.write(folder, log)
        return concluded.record

    def _prefix(self, planned: PlannedTrial) -> str:
        """Return what the names of a trial's queues begin with."""
        # The token differs from that of an earlier, killed attempt at the same trial, which may have left messages.
        return f"busbench-{self._run.run_id}-{self._token}-{planned.index}"

    def _seed(self, planned: PlannedTrial) -> int:
        # The same schedule for every target of a repetition, so that pairs differ by target alone.
        return self._run.seed * 1_000_003 + planned.repetition

    def _in_memory(self, planned: PlannedTrial, workload: Workload, script: MemoryBroker) -> Concluded:
        seed, plan, prefix = self._seed(planned), self._run.scenario.plan, self._prefix(planned)
        done = run_inline(workload, script, plan, seed, tuple(f"{prefix}-{n}" for n in range(workload.plain_queues)))
        start_ns = done.control.start_ns
        rule = WarmRule(plan.warm_up, 0, start_ns, known_warm=True)
        raw = Raw([done.account], start_ns, done.control, rule, (), done.left, layout=done.layout, dead=done.dead)
        facts = Facts("scripted memory broker", "1", "virtual time", labels=("virtual time",))
        broker = broker_record(script.name, script.kind, facts, 1)
        subject = self._run.scenario.subject
        return conclude(planned, workload, seed, raw, broker, external=True, subject=subject)

    def _on_broker(self, planned: PlannedTrial, target: Target, workload: Workload) -> tuple[Concluded, str]:
        # Before the broker is asked for, as a pilot may start it anew.
        metered = self._meter is not None and not self._meter.trouble
        drain = self._drain(planned, workload) if metered else None
        instance = self._fit(target.broker, planned.repetition)
        idle = self._idle_cost(target.broker, instance)
        cell = (target.name, workload.name)
        seed = self._seed(planned)
        short = (
            workload.counted is not None
            and cell not in instance.warm
            and not self._warm(instance, planned, target, workload)
        )
        # One an attempt: what the workers of an earlier one left is none of this one's.
        scratch = Path(tempfile.mkdtemp(prefix=f"trial-{planned.index}-", dir=self._scratch))
        before, log_before = self._canaries.read(), instance.broker.log()
        raw = run_trial(
            Conditions(
                target=target,
                workload=workload,
                plan=self._run.scenario.plan,
                seed=seed,
                layout=laid_out(instance.broker, workload, self._prefix(planned), seed),
                loaded_ns=instance.loaded_ns,
                known_warm=cell in instance.warm,
                scratch=scratch,
                watch=self._watch.live,
                meter=self._meter,
                drain=drain,
                hopeless=self._hopeless(planned, workload),
            ),
            instance.broker,
        )
        raw.warm_rule.too_short |= short
        canary = self._canaries.pair(before, self._canaries.read())
        if raw.control.warmed:
            instance.warm.add(cell)
        instance.loaded_ns += max(0, (raw.control.end_ns or raw.start_ns) - raw.start_ns)
        kind = self._run.scenario.broker(target.broker).kind
        broker = broker_record(target.broker, kind, instance.facts, instance.started, idle)
        external = instance.broker.usage() is None
        log = instance.broker.log()
        concluded = conclude(
            planned,
            workload,
            seed,
            raw,
            broker,
            external=external,
            ceiling=self._ceilings.get(target.driver),
            canary=canary,
            subject=self._run.scenario.subject,
            log=since(log_before, log),
            patterns=instance.broker.patterns,
        )
        return concluded, log

    def _hopeless(self, planned: PlannedTrial, workload: Workload) -> Callable[[Live], str]:
        """Return what says of a trial that runs whether it cannot but break a limit."""
        extend = self._run.scenario.plan.extend
        made = (Certainty.of(limit, workload, planned.target, extend) for limit in self._abort_on)
        asked = [one for one in made if one is not None]
        return lambda live: next(filter(None, [one.take(live) for one in asked]), "")

    def _fit(self, name: str, repetition: int) -> Instance:
        """Return a running broker; one of ours is tried first, once in a run.

        Raises:
            BrokerError: it could not be started or reached.
            UnfitError: it does not allow what a workload asks of it.
        """
        instance = self._fleet.get(name, repetition)
        settings = self._run.scenario.broker(name)
        if name not in self._tried and not isinstance(settings, MemoryBroker) and starts(settings):
            self._tried.add(name)
            if faults := [f"broker {name}: {text}" for text in misfits(self._run.scenario, instance.broker)]:
                raise UnfitError(faults)
        return instance

    def _drain(self, planned: PlannedTrial, workload: Workload) -> float | None:
        """Return how long queues of a workload drain after a pause, the same for all targets and the whole run."""
        if workload.name not in self._drains:
            capacities: list[float | None] = []
            main = workload.parts()[0]
            if isinstance(main.load, RateLoad) and self._run.purpose == "run":
                targets = [target for target in self._run.scenario.targets if workload.is_for(target.name)]
                given = main.load.capacity
                if has_pilot(workload):
                    capacities = [given or self._pilot(planned, target, workload) for target in targets]
            self._drains[workload.name] = drain(main, capacities)
        return self._drains[workload.name]

    def _pilot(self, planned: PlannedTrial, target: Target, workload: Workload) -> float | None:
        """Return what a target does at most, roughly; None where it does not get so far.

        A broker that someone else runs is not driven to its limit for that.
        """
        settings = self._run.scenario.broker(target.broker)
        if isinstance(settings, MemoryBroker) or not starts(settings) or self._has_failed(target.broker):
            return None
        try:
            return self._carry_out_pilot(planned, target, workload)
        except BrokerError:
            return None  # its own trials will tell

    def _carry_out_pilot(self, planned: PlannedTrial, target: Target, workload: Workload) -> float | None:
        self._watch.say(f"a pilot of {target.name} under {workload.name}")
        instance, work = self._fit(target.broker, planned.repetition), pilot(workload.parts()[0])
        return capacity(self._unmeasured(instance, planned, target, work, PLAN))

    def _warm(self, instance: Instance, planned: PlannedTrial, target: Target, workload: Workload) -> bool:
        """Do a workload by count unmeasured, until its broker has had its time under load; return whether it had.

        Once at least, so that what is compared is never a first time. What goes wrong here its trial will tell.

        Raises:
            BrokerError: the broker could not be prepared.
        """
        plan, rule = self._run.scenario.plan, self._run.scenario.plan.warm_up
        begun_ns = instance.loaded_ns
        self._watch.say(f"warming {target.name} by {workload.name}, unmeasured")
        while True:
            raw = self._unmeasured(instance, planned, target, workload, plan)
            if raw.control.outcome in BROKE_OFF:
                return True
            if instance.loaded_ns >= rule.at_least:
                return True
            if instance.loaded_ns - begun_ns >= rule.at_most:
                return False

    def _unmeasured(self, instance: Instance, planned: PlannedTrial, target: Target, work: Workload, plan: Plan) -> Raw:
        """Have a target do some work before a trial, of which nothing is kept."""
        self._unkept += 1
        seed, prefix = self._seed(planned), f"{self._prefix(planned)}-unkept{self._unkept}"
        with tempfile.TemporaryDirectory(dir=self._scratch) as scratch:
            raw = run_trial(
                Conditions(
                    target=target,
                    workload=work,
                    plan=plan,
                    seed=seed,
                    layout=laid_out(instance.broker, work, prefix, seed),
                    loaded_ns=instance.loaded_ns,
                    known_warm=True,
                    scratch=Path(scratch),
                    watch=lambda _: None,
                ),
                instance.broker,
            )
        instance.loaded_ns += max(0, (raw.control.end_ns or raw.start_ns) - raw.start_ns)
        return raw

    def _idle_cost(self, name: str, instance: Instance) -> IdleCost | None:
        """Return what a broker costs idle, measured the first time that the run needs it."""
        scenario = self._run.scenario
        # A broker that someone else runs may not be idle, and should not get a hundred queues.
        if scenario.plan.idle and name not in self._idle and starts(scenario.broker(name)):
            self._watch.say(f"measuring what {name} costs idle")
            durable = any(workload.durable for workload in scenario.workloads)
            self._idle[name] = idle_cost(instance.broker, durable=durable)
        return self._idle.get(name)
