"""One trial on a real broker: queues, workers, phases, telemetry, and what came of it."""

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from bench.drivers.base import Int64, OwnedQueue
from bench.drivers.registry import driver_named
from bench.host.affinity import cpus_of, on_cpus
from bench.loadgen.pump import PumpCounters
from bench.pauses.meter import PauseMeter
from bench.pauses.watch import PauseWatch
from bench.record.account import Account
from bench.results.records import NO_RESULT, TrialOutcome
from bench.run.dead_letters import DeadLetters, collect
from bench.run.phases import Control, CountedControl, Phase, Seen, WarmRule
from bench.run.shared_board import Board
from bench.run.slow_telemetry import MOST_QUEUES, SlowSample, SlowTelemetry
from bench.run.telemetry import Sample, Sampler
from bench.run.worker_assignment import Assignment, flow_seed, worker_name
from bench.run.worker_pool import WorkerEnded, WorkerPool
from bench.scenario.scenario import Plan, Target, Workload
from bench.topology.layout import FlowRoute, Layout
from bench.units import NS_PER_MS, NS_PER_S, TICK_NS
from brokers.admin.base import SilentError
from brokers.base import Broker, BrokerError
from brokers.cpu_numbers import words
from brokers.endpoint import Protocol
from brokers.topology import Topology

_READY_TIMEOUT_S = 60
_STUCK_NS = 10 * NS_PER_S
_QUIET_NS = NS_PER_S
"""Without a sign of life for that long, it is looked whether a worker is stopped."""
_LEAVE_TIMEOUT_S = 10.0
_LOOK_NS = 20 * NS_PER_MS
_Role = Literal["producer", "consumer", "requester", "responder"]
_START_DELAY_NS = 200 * NS_PER_MS
_NO_PAUSES: Int64 = np.empty((0, 3), np.int64)


@dataclass(frozen=True)
class Live:
    """What someone who watches may see of a running trial: what was read anyway, mostly sums since the trial began.

    Attributes:
        at_ns: monotonic time.
        phase: where the trial is.
        left_ns: how long the phase still takes, a warm-up at most; None where nobody knows.
        totals: what workers show.
        produced_ns, consumed_ns: when they showed it, monotonic time: producers and consumers, each on average; 0 where
            one has not yet.
        sample: the last of telemetry.
        pauses: of the host, that were seen since the last time: CPU, begin and end in monotonic ns; int64 (n, 3).
        metered_cpus: CPUs whose pauses are seen; 0 without a meter.
    """

    at_ns: int
    phase: Phase
    left_ns: int | None
    totals: PumpCounters
    produced_ns: int
    consumed_ns: int
    sample: Sample
    pauses: Int64
    metered_cpus: int


@dataclass(frozen=True)
class Conditions:
    """What surrounds a trial.

    Attributes:
        target, workload, plan: from the scenario.
        seed: of this trial's schedule.
        layout: what is declared, and where messages go, by names of this trial's own.
        loaded_ns: time under load the broker has had since its start.
        known_warm: whether this target and workload were warmed on it before.
        scratch: a folder for workers' files, empty.
        watch: called a few times a second.
        meter: of the host's pauses, at rest; None where there is none.
        drain: seconds of drain a second of pause, see `bench.pauses.filter.Meter`.
        hopeless: called after `watch`; says why the trial is to be aborted, nothing while it is not.
    """

    target: Target
    workload: Workload
    plan: Plan
    seed: int
    layout: Layout
    loaded_ns: int
    known_warm: bool
    scratch: Path
    watch: Callable[[Live], None]
    meter: PauseMeter | None = None
    drain: float | None = None
    hopeless: Callable[[Live], str] = lambda _: ""


@dataclass(frozen=True)
class Raw:
    """What a trial leaves.

    Attributes:
        accounts: of the workers that left one.
        start_ns: start of the schedule, monotonic.
        control, warm_rule: its course.
        samples: telemetry, each 100 ms.
        left: messages left on the broker; None = unknown.
        left_of: the same for each flow; empty where there is one.
        client_cpus: that workers could run on, as read back.
        slow_samples: telemetry, each second.
        pauses: of the host; None without a meter.
        missing: workers that left no account.
        held_back: why the broker held publishers back, where it was asked and said so.
        layout: what was declared.
        dead: dead letters that were found.
    """

    accounts: list[Account]
    start_ns: int
    control: Control
    warm_rule: WarmRule
    samples: Sequence[Sample]
    left: int | None
    slow_samples: Sequence[SlowSample] = ()
    pauses: PauseWatch | None = None
    missing: int = 0
    held_back: tuple[str, ...] = ()
    layout: Layout | None = None
    dead: tuple[DeadLetters, ...] = ()
    left_of: tuple[int | None, ...] = ()
    client_cpus: tuple[int, ...] = ()


def run_trial(given: Conditions, broker: Broker) -> Raw:
    """Run one trial on a running broker; its queues are made before and deleted after.

    Whatever ends it, KeyboardInterrupt included, its workers are gone afterwards.

    Raises:
        BrokerError: the broker could not be prepared.
    """
    rejecting = any(kind.reject for part in given.workload.parts() for kind in part.kinds)
    with declared(broker, given.layout, rejecting=rejecting):
        return _with_workers(given, broker)


@contextlib.contextmanager
def declared(broker: Broker, layout: Layout, *, rejecting: bool = False) -> Iterator[None]:
    """Have what a layout needs on a broker, empty, and delete it afterwards.

    Args:
        broker: that runs.
        layout: of a trial.
        rejecting: whether consumers reject messages for good.

    Raises:
        BrokerError: it could not be declared.
    """
    plain, topology = layout.told(lambda durable: broker.queue_kind(durable=durable))
    topology = _without_owned(topology, layout)
    for queue, durable in plain.items():
        broker.declare(queue, durable=durable, rejecting=rejecting)
    try:
        if topology != Topology():
            broker.declare_topology(topology)
        yield
    finally:
        # A broker that died or froze meanwhile is reported by the trial itself, and not asked again and again.
        with contextlib.suppress(BrokerError):
            if broker.failure() is None:
                for queue in plain:
                    broker.delete(queue)
                if topology != Topology():
                    broker.delete_topology(topology)


def _without_owned(declared: Topology, layout: Layout) -> Topology:
    """Return what is declared for everyone: not the queues that only their consumers can declare."""
    owned = {queue for flow in layout.flows for queue in flow.exclusive}
    return replace(
        declared,
        queues=tuple(one for one in declared.queues if one.name not in owned),
        bindings=tuple(one for one in declared.bindings if one.queue not in owned),
    )


def _with_workers(given: Conditions, broker: Broker) -> Raw:
    parts = given.workload.parts()
    wake = [os.eventfd(0, os.EFD_NONBLOCK) for part in parts for _ in range(part.workers)]
    rows = len(wake) + sum(kind.workers for part in parts for kind in part.kinds)
    shared = Board.share(rows)
    try:
        board = Board(rows, shared)
        tasks = _tasks(given, broker, wake, shared, rows)
        pool = WorkerPool(tasks, given.scratch)
        producing = np.array([task.produces for task in tasks])
        try:
            course = _Course(given, broker, board, pool, producing)
            # Workers inherit the CPUs of this thread, so that none runs elsewhere first.
            with contextlib.closing(course), on_cpus(given.plan.client_cpus):
                return course.run()
        finally:
            pool.kill()
    finally:
        for fd in (*wake, shared):
            os.close(fd)


def _tasks(given: Conditions, broker: Broker, wake: list[int], board_fd: int, rows: int) -> list[Assignment]:
    """Return the workers of each flow: those that produce, then those of each kind of its consumers."""
    parts = given.workload.parts()
    tasks: list[Assignment] = []
    first = 0
    for flow, (part, route) in enumerate(zip(parts, given.layout.flows, strict=True)):
        fds = wake[first : first + part.workers]
        asks = part.pattern == "rpc"
        # A requester's tokens are its own: nobody needs to wake it.
        producing: _Role = "requester" if asks else "producer"
        consuming: _Role = "responder" if asks else "consumer"
        roles = [(producing, 0, part), *((consuming, number, kind) for number, kind in enumerate(part.kinds))]
        first += part.workers
        drivers = part.consumer_driver, part.producer_driver
        for role, number, work in roles:
            for worker in range(part.workers):
                tasks.append(
                    Assignment(
                        role=role,
                        worker=worker,
                        flow=flow,
                        kind=number,
                        row=len(tasks),
                        rows=rows,
                        producers_from=len(tasks) - worker if role == producing else tasks[-1].producers_from,
                        workload=work,
                        route=route,
                        owned=_owned(given.layout, route) if role == "consumer" else {},
                        seed=flow_seed(given.seed, flow),
                        conductor=os.getpid(),
                        board_fd=board_fd,
                        account=given.scratch / f"{worker_name(role, worker, flow, number)}.npz",
                        **_driver(given.target, broker, drivers[role == producing]),
                        **_metered(given),
                        **_wakes(role, fds, worker, closed=work.closed),
                    )
                )
    return tasks


def _rows_counted(workload: Workload) -> slice | None:
    """Return the rows of the board of the flow whose messages are counted; None where no other is there."""
    counted, parts = workload.counted, workload.parts()
    if counted is None or len(parts) == 1:
        return None
    workers = [part.workers + sum(kind.workers for kind in part.kinds) for part in parts]
    first = sum(workers[:counted])
    return slice(first, first + workers[counted])


def _driver(target: Target, broker: Broker, name: str | None) -> dict[str, Any]:
    """Return how a worker speaks, and where it reaches the broker by that; options are those of the target's driver."""
    driver = target.driver if name is None else name
    protocol = driver_named(driver).protocol
    return {
        "driver": driver,
        "options": target.options if driver == target.driver else {},
        "endpoint": broker.endpoint(cast("Protocol", protocol)),
    }


def _wakes(role: str, wake: list[int], worker: int, *, closed: bool) -> dict[str, Any]:
    if not closed or role in ("requester", "responder"):
        return {}
    return {"wake_fd": wake[worker]} if role == "producer" else {"wake_fds": tuple(wake)}


def _owned(layout: Layout, route: FlowRoute) -> dict[str, OwnedQueue]:
    """Return the queues of a flow that its consumers declare themselves."""
    kinds = {one.name: one.kind for one in layout.declared.queues}
    return {
        name: OwnedQueue(kinds[name], tuple(one for one in layout.declared.bindings if one.queue == name))
        for name in route.exclusive
    }


def _metered(given: Conditions) -> dict[str, Any]:
    meter = given.meter
    if meter is None or meter.trouble:
        return {}
    return {"pauses_fd": meter.fd, "metered_cpus": len(meter.cpus), "drain": given.drain}


def _sum(depths: Sequence[int | None]) -> int | None:
    known = [depth for depth in depths if depth is not None]
    return sum(known) if len(known) == len(depths) else None


def mean_ns(beats_ns: Int64) -> int:
    """Return the mean of instants; 0 where one is not known, or there are none."""
    return int(beats_ns.mean()) if len(beats_ns) and beats_ns.all() else 0


class _CertainBreachError(Exception):
    """A trial meets a condition on which it is to be aborted."""


class _Course:
    """The course of a trial once its workers are started."""

    def __init__(
        self, given: Conditions, broker: Broker, board: Board, pool: WorkerPool, producing: NDArray[np.bool_]
    ) -> None:
        """Conduct the workers of a pool; `producing` tells of each row of the board whether it produces."""
        self._producing = producing
        self._given = given
        self._broker = broker
        self._board = board
        self._pool = pool
        self._sampler = Sampler()
        self._slow_telemetry = SlowTelemetry(
            broker,
            lambda: pool.pids,
            self._depth,
            # Over AMQP 0-9-1 a producer is told (connection.blocked), over 1.0 it only gets no credit.
            broker.held_back if given.target.protocol == "amqp10" else None,
        )
        self._pauses: PauseWatch | None = None
        self._started = False
        self._halted = False
        # For several flows it is a mean of means: it turns a backlog of copies into one of messages.
        flows = given.layout.flows
        self._copies = sum(flow.mean_copies for flow in flows) / len(flows) or 1.0
        self._counted = _rows_counted(given.workload)
        self._cpus: tuple[int, ...] = ()

    def run(self) -> Raw:
        """Wait for readiness, conduct the phases, collect."""
        start_ns = time.monotonic_ns()
        rule, control = self._direct(start_ns)
        try:
            self._pool.start()
            self._await_ready()
            self._look_at_cpus()
            self._meter()
            start_ns = time.monotonic_ns() + _START_DELAY_NS
            rule, control = self._direct(start_ns)
            self._board.start(start_ns)
            self._started = True
            self._observe(control, start_ns)
        except WorkerEnded as ended:
            self._end_early(control, ended)
        except _CertainBreachError as met:
            control.cut(TrialOutcome.ABORTED, str(met), time.monotonic_ns())
        self._board.stop()
        self._dismiss(control)
        if self._pauses is not None:
            self._pauses.look()
        accounts = self._pool.accounts()
        left_of, dead = self._left(control), self._dead_letters(control)
        if dead is None:  # what is missing may be among them, and is called lost by nobody
            left_of, dead = (None,) * len(left_of), ()
        return Raw(
            accounts,
            start_ns,
            control,
            rule,
            self._sampler.samples,
            None if None in left_of else sum(one or 0 for one in left_of),
            self._slow_telemetry.seen,
            self._pauses,
            # Where no schedule began, nothing was sent of which an account could be missing.
            missing=len(self._pool.pids) - len(accounts) if self._started else 0,
            held_back=self._slow_telemetry.held_back,
            layout=self._given.layout,
            dead=dead,
            left_of=left_of,
            client_cpus=self._cpus,
        )

    def _look_at_cpus(self) -> None:
        """Read back from the kernel where workers run; raise WorkerEnded where it is not where they were pinned to."""
        self._cpus, pinned = cpus_of(self._pool.pids), self._given.plan.client_cpus
        if pinned and self._cpus != pinned:
            message = f"workers are pinned to CPU {words(pinned)}, and the kernel lets them run on {words(self._cpus)}"
            raise WorkerEnded(message, broker=False)

    def close(self) -> None:
        """Close what telemetry holds open, and let the pause meter rest."""
        self._sampler.close()
        if self._pauses is not None and self._given.meter is not None:
            self._given.meter.rest()

    def _meter(self) -> None:
        """Have the pause meter run, which begins after the control groups of broker and workers were made."""
        meter = self._given.meter
        if meter is not None and not meter.trouble:
            meter.run()
            self._pauses = None if meter.trouble else PauseWatch(meter.board, self._given.drain)

    def _observe(self, control: Control, start_ns: int) -> None:
        """Conduct the phases under telemetry."""
        self._slow_telemetry.start()
        try:
            self._conduct(control, start_ns)
        finally:
            over = self._slow_telemetry.stop()
        if over:
            self._slow_telemetry.look()

    def _direct(self, start_ns: int) -> tuple[WarmRule, Control]:
        """Return what decides the phases of a schedule that starts at `start_ns`."""
        given = self._given
        rule = WarmRule(given.plan.warm_up, given.loaded_ns, start_ns, known_warm=given.known_warm)
        parts, counted = given.workload.parts(), given.workload.counted
        if counted is not None:
            return rule, CountedControl(parts[counted], rule, start_ns, given.plan.drain)
        confirms = any(part.confirm_window > 0 for part in parts)
        return rule, Control(
            given.workload, rule, start_ns, given.plan.drain, confirms=confirms, extend=given.plan.extend
        )

    def _dismiss(self, control: Control) -> None:
        """See every worker off; one that leaves badly spoils a trial that seemed complete."""
        try:
            self._pool.see_off(_LEAVE_TIMEOUT_S)
        except WorkerEnded as ended:
            self._pool.kill()
            if control.outcome is TrialOutcome.COMPLETED:
                self._end_early(control, ended)

    def _left(self, control: Control) -> tuple[int | None, ...]:
        """Return how many messages of each flow still lie on the broker; None where it cannot say.

        A broker that leaves a drain unfinished and this question unanswered lost nothing that we know of: it hangs.
        """
        layout = self._given.layout
        if self._broker.failure() is not None:
            return (None,) * len(layout.flows)
        try:
            known = {queue: self._broker.depth(queue) for queue in layout.queues}
        except BrokerError as error:
            hangs = isinstance(error.__cause__, SilentError) and not control.drained
            if hangs and control.outcome is TrialOutcome.COMPLETED:
                control.cut(TrialOutcome.STALLED, f"the drain did not end, and {error}", time.monotonic_ns())
            return (None,) * len(layout.flows)
        return tuple(_sum([known.get(queue) for queue in flow.queues]) for flow in layout.flows)

    def _dead_letters(self, control: Control) -> tuple[DeadLetters, ...] | None:
        """Return what lies in the queues of dead letters; nothing where the trial gave no result.

        None where the broker gives no answer.
        """
        if not self._given.layout.dead or control.outcome in NO_RESULT or self._broker.failure() is not None:
            return ()
        compact = any(part.body.stamp == "compact" for part in self._given.workload.parts())
        try:
            return collect(self._broker, self._given.layout, compact=compact)
        except BrokerError:
            return None

    def _depth(self) -> int | None:
        """Return how many messages lie in all queues, where that is cheap to know."""
        queues = self._given.layout.queues
        depths = [self._broker.peek_depth(queue) for queue in queues] if len(queues) <= MOST_QUEUES else [None]
        return _sum(depths)

    def _await_ready(self) -> None:
        until = time.monotonic() + _READY_TIMEOUT_S
        while self._board.ready() < len(self._pool.pids):
            self._pool.check()
            if time.monotonic() > until:
                message = f"workers were not ready within {_READY_TIMEOUT_S} s"
                raise WorkerEnded(message, broker=False)
            time.sleep(0.01)

    def _conduct(self, control: Control, start_ns: int) -> None:
        next_sample_ns = 0
        cpu_s: float | None = None
        while control.phase is not Phase.OVER:
            now_ns = time.monotonic_ns()
            if now_ns >= next_sample_ns:
                next_sample_ns = now_ns - now_ns % TICK_NS + TICK_NS
                used, below = self._broker.usage(), self._slow_telemetry.below
                cpu_s = self._sampler.sample(now_ns, used, self._pool.pids, below).broker_cpu_s
                self._watch_workers(control, start_ns, now_ns)
                if self._pauses is not None:
                    self._pauses.look()
            seen = self._seen(now_ns, cpu_s)
            if self._counted is not None:
                seen = replace(seen, counted=self._seen(now_ns, cpu_s, self._counted))
            control.step(self._with_clean_time(seen, control))
            if control.released_ns is not None:
                self._board.release()
            if control.measured_ns is not None:
                self._board.measure(control.measured_ns)
            if control.end_ns is not None:
                self._board.end(control.end_ns)
            time.sleep(_LOOK_NS / NS_PER_S)
        self._show(control, time.monotonic_ns())

    def _seen(self, now_ns: int, cpu_s: float | None, rows: slice | None = None) -> Seen:
        """Return what the board shows of all workers, or of some rows."""
        totals = self._board.totals() if rows is None else self._board.totals(rows)
        return Seen(
            now_ns, totals.due, totals.sent, totals.settled, totals.received, totals.done, cpu_s, gone=totals.gone,
            halted=self._halted, owed=totals.owed, copies=self._copies,
        )  # fmt: skip

    def _with_clean_time(self, seen: Seen, control: Control) -> Seen:
        pauses, begun_ns = self._pauses, control.measured_ns
        if pauses is None or begun_ns is None or not control.ends_soon(seen.now_ns):
            return seen
        pauses.look()
        if pauses.lost:
            return seen
        clean_ns = pauses.marks().clean_ns(begun_ns, pauses.known_ns)
        return replace(seen, known_ns=pauses.known_ns, clean_ns=clean_ns)

    def _watch_workers(self, control: Control, start_ns: int, now_ns: int) -> None:
        self._pool.check()
        failure = self._broker.failure()
        if failure is not None:
            raise WorkerEnded(failure, broker=True)
        # A worker that was stopped before its first sign is awaited from the start on.
        idle_ns = now_ns - max(int(self._board.beats_ns().min()), start_ns)
        if idle_ns > _STUCK_NS:
            message = f"a worker has shown no sign of life for {idle_ns / NS_PER_S:.0f} s"
            raise WorkerEnded(message, broker=False)
        self._halted = idle_ns > _QUIET_NS and self._pool.halted()
        self._show(control, now_ns)

    def _show(self, control: Control, now_ns: int) -> None:
        pauses, beats_ns = self._pauses, self._board.beats_ns()
        live = Live(
            at_ns=now_ns,
            phase=control.phase,
            left_ns=control.left_ns(now_ns),
            totals=self._board.totals(),
            produced_ns=mean_ns(beats_ns[self._producing]),
            consumed_ns=mean_ns(beats_ns[~self._producing]),
            sample=self._sampler.samples[-1],
            pauses=_NO_PAUSES if pauses is None else pauses.news(),
            metered_cpus=0 if pauses is None or pauses.lost else pauses.cpus,
        )
        self._given.watch(live)
        if why := self._given.hopeless(live):
            raise _CertainBreachError(why)

    def _end_early(self, control: Control, ended: WorkerEnded) -> None:
        """Note why the trial ended; a connection that broke because the broker died is the broker's."""
        failure = self._broker.failure()
        until = time.monotonic() + (1.0 if ended.broker else 0.0)
        while failure is None and time.monotonic() < until:
            time.sleep(0.05)
            failure = self._broker.failure()
        now_ns = time.monotonic_ns()
        if not self._started:
            now_ns = control.start_ns  # nothing was ever due
        if failure is not None:
            control.cut(TrialOutcome.BROKER_FAILED, failure, now_ns)
        elif ended.broker:
            control.cut(TrialOutcome.DISCONNECTED, str(ended), now_ns)
        else:
            control.cut(TrialOutcome.WORKER_FAILED, str(ended), now_ns)
