"""A trial of the memory driver: one worker, in this process, on virtual time."""

from bench.drivers.memory_broker import MemoryPort
from bench.host.clock import VirtualClock
from bench.loadgen.pump import PumpCounters
from bench.record.account import Account
from bench.run.phases import Control, Phase, Seen, WarmRule
from bench.run.shared_board import Board, WorkerCells
from bench.run.worker import work
from bench.run.worker_assignment import Assignment
from bench.scenario.scenario import MemoryBroker, Plan, Workload

_START_NS = 1_000_000_000


class _Directed(WorkerCells):
    """The worker's view of a board that nobody else looks at: each beat is also a look of the conductor."""

    def __init__(self, board: Board, control: Control, copies: float) -> None:
        super().__init__(board.cells, 0, (), copies=copies)
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
) -> tuple[Account, Control, int]:
    """Run one trial of the scripted broker; return its account, how it went, and what it still held.

    Virtual time starts at 1 s, the schedule with it.
    """
    clock = VirtualClock(_START_NS)
    route = workload.laid_out("memory", queues, seed).flows[0]
    task = Assignment(
        role="both",
        worker=0,
        row=0,
        rows=1,
        driver="memory",
        # A busy wait lets no virtual time pass, and could last for ever.
        workload=workload.model_copy(update={"workers": 1, "spin": 0}),
        route=route,
        seed=seed,
    )
    rule = WarmRule(plan.warm_up, 0, _START_NS, known_warm=True)
    control = Control(workload, rule, _START_NS, plan.drain, confirms=workload.confirm_window > 0)
    board = Board(1)
    board.start(_START_NS)
    port = MemoryPort(task.port_spec(), clock, script)
    result, ended = work(task, port, clock, _Directed(board, control, route.mean_copies))
    if ended is not None:
        raise ended
    return result, control, port.depth()
