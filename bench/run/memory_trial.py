"""A trial of the memory driver: one worker, in this process, on virtual time."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from bench.drivers.memory_broker import MemoryPort, MemoryRouting, QueueRules
from bench.host.clock import VirtualClock
from bench.loadgen.pump import PumpCounters
from bench.record.account import OPENED, Account
from bench.run.dead_letters import DeadLetters, by_reason
from bench.run.phases import Control, CountedControl, Phase, Seen, WarmRule
from bench.run.preflight import UnfitError
from bench.run.shared_board import Board, WorkerCells
from bench.run.worker import work
from bench.run.worker_assignment import Assignment
from bench.scenario.scenario import MemoryBroker, Plan, Workload
from bench.topology.layout import DEAD_LETTERS, Layout
from bench.topology.matching import owed
from bench.units import NS_PER_MS
from brokers.topology import Argument

_START_NS = 1_000_000_000
_TTL, _MOST, _OVERFLOW, _TYPE = "x-message-ttl", "x-max-length", "x-overflow", "x-queue-type"
_NUMBERS = (_TTL, _MOST)
_WORDS = {_OVERFLOW: ("drop-head", "reject-publish"), _TYPE: ("classic", "quorum")}
_ARGUMENTS = (*_NUMBERS, *_WORDS, *DEAD_LETTERS)
"""Arguments of queues that the scripted broker knows."""


class InlineTrial(NamedTuple):
    """What a trial of the scripted broker leaves.

    Attributes:
        account: of its one worker.
        control: how it went.
        left: copies that the broker still held.
        layout: what was declared.
        dead: dead letters that were found.
    """

    account: Account
    control: Control
    left: int
    layout: Layout
    dead: tuple[DeadLetters, ...]


class _Directed(WorkerCells):
    """The worker's view of a board that nobody else looks at: each beat is also a look of the conductor."""

    def __init__(self, board: Board, control: Control, task: Assignment, port: MemoryPort) -> None:
        super().__init__(board.cells, 0, (), completion=task.completion())
        self._port = port
        self._copies = task.route.mean_copies or 1.0
        self._board = board
        self._control_state = control

    def beat(self, progress: PumpCounters, now_ns: int) -> None:
        super().beat(progress, now_ns)
        one = progress
        seen = Seen(
            now_ns,
            one.due,
            one.sent,
            one.settled,
            one.received,
            one.done,
            gone=one.gone,
            owed=one.owed,
            copies=self._copies,
        )
        phase = self._control_state.step(seen)
        if self._control_state.released_ns is not None:
            self._port.locked = False
        if self._control_state.measured_ns is not None:
            self._board.measure(self._control_state.measured_ns)
        if self._control_state.end_ns is not None:
            self._board.end(self._control_state.end_ns)
        if phase is Phase.OVER:
            self._board.stop()


def run_inline(
    workload: Workload,
    script: MemoryBroker,
    plan: Plan,
    seed: int,
    queues: tuple[str, ...],
) -> InlineTrial:
    """Run one trial of the scripted broker, on `queues` and what the workload declares beside them.

    Virtual time starts at 1 s, the schedule with it.

    Raises:
        UnfitError: the workload asks for what the scripted broker has not.
    """
    clock = VirtualClock(_START_NS)
    layout = workload.laid_out("memory", queues, seed)
    if faults := (*_faults(workload, layout),):
        raise UnfitError(faults)
    # A list of one kind of consumers is that kind; without consumers there is none.
    flow, route = next(iter(workload.kinds), workload), layout.flows[0]
    task = Assignment(
        role="requester" if flow.pattern == "rpc" else "both",
        worker=0,
        row=0,
        rows=1,
        driver="memory",
        # A busy wait lets no virtual time pass, and could last for ever.
        workload=flow.model_copy(update={"workers": 1, "spin": 0}),
        route=route,
        seed=seed,
    )
    rule = WarmRule(plan.warm_up, 0, _START_NS, known_warm=True)
    control = (
        Control(workload, rule, _START_NS, plan.drain, confirms=workload.confirm_window > 0)
        if workload.counted is None
        else CountedControl(workload, rule, _START_NS, plan.drain)
    )
    board = Board(1)
    board.start(_START_NS)
    port = MemoryPort(task.port_spec(), clock, script, _routing(flow, layout))
    port.locked = flow.fills
    account, ended = work(task, port, clock, _Directed(board, control, task, port))
    if ended is not None:
        raise ended
    if control.released_ns is not None:
        account = replace(account, times={**account.times, OPENED: control.released_ns})
    left = port.depth()  # before dead letters are looked at: what has expired since ends here
    return InlineTrial(account, control, left, layout, by_reason(port.dead))


def _faults(workload: Workload, layout: Layout) -> Iterator[str]:
    """Yield what a workload asks for and the scripted broker has not."""
    who = f"workload {workload.name}: the scripted memory broker"
    if workload.flows:
        yield f"{who} runs one flow, not {len(workload.flows)}: make a workload of each, or use a real broker"
    if len(workload.kinds) > 1:
        yield f"{who} has consumers of one kind, not {len(workload.kinds)}: give `consumers` a number"
    if workload.properties.expiration is not None:
        yield f"{who} knows no properties.expiration: use the queue argument {_TTL}"
    for queue in layout.declared.queues:
        for name, value in queue.kind.arguments.items():
            if name not in _ARGUMENTS:
                yield f"{who} knows no queue argument {name}: use {', '.join(_ARGUMENTS)}"
            elif name in _NUMBERS and (type(value) is not int or value < 0):
                yield f"{who} takes a whole number for {name}, not {value!r}"
            elif name in _WORDS and value not in _WORDS[name]:
                yield f"{who} has no {name} = {value!r}: use {' or '.join(_WORDS[name])}"
        letters = _dead(layout, queue.kind.arguments, workload)
        if {name for names in letters for name in names} & set(layout.queues):
            yield f"{who} delivers no dead letters: let {DEAD_LETTERS[0]} lead to a queue without consumers"


def _routing(workload: Workload, layout: Layout) -> MemoryRouting:
    """Return what the broker is told: where keys go, and the rules of queues."""
    route, rules = layout.flows[0], {}
    for queue in layout.declared.queues:
        given = queue.kind.arguments
        rule = QueueRules(
            most=int(given[_MOST]) if _MOST in given else None,
            refuses=given.get(_OVERFLOW) == "reject-publish",
            dead=tuple(bool(set(names) & set(layout.dead)) for names in _dead(layout, given, workload)),
        )
        rules[queue.name] = replace(rule, ttl_ns=int(given[_TTL]) * NS_PER_MS) if _TTL in given else rule
    return MemoryRouting(_bound(layout, route.exchange, route.keys, workload), rules, workload.think)


def _dead(layout: Layout, arguments: Mapping[str, Argument], workload: Workload) -> tuple[tuple[str, ...], ...]:
    """Return by key where dead letters of a queue go."""
    exchange, keys = arguments.get(DEAD_LETTERS[0]), layout.flows[0].keys
    if exchange is None:
        return ((),) * len(keys)
    key = arguments.get(DEAD_LETTERS[1])
    return _bound(layout, str(exchange), keys if key is None else (str(key),) * len(keys), workload)


def _bound(layout: Layout, exchange: str, keys: Sequence[str], workload: Workload) -> tuple[tuple[str, ...], ...]:
    """Return by key the queues to which an exchange takes it."""
    declared = layout.declared
    if not exchange:
        known = {*layout.plain, *(queue.name for queue in declared.queues)}
        return tuple((key,) if key in known else () for key in keys)
    kind = next((one.type for one in declared.exchanges if one.name == exchange), None)
    bindings = [one for one in declared.bindings if one.exchange == exchange]
    return ((),) * len(keys) if kind is None else owed(kind, bindings, keys, workload.properties.headers)
