"""A worker: one side of one trial. `work` is the job; `main` is the process around it.

Exit codes: 0 done · 20 the broker refused or ended the work, reason in `<account>.error` · 21 no room for the account ·
anything else is a fault of ours, traceback in the worker's log.
"""

import errno
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import cast

from bench.drivers.base import DriverError, Int64, Port, TimedPort
from bench.drivers.registry import driver_named, open_port
from bench.host.child_process import die_with_parent
from bench.host.clock import Clock, RealClock
from bench.host.realtime import be_punctual, be_unhurried
from bench.host.rlimit import allow_most
from bench.loadgen.pump import Pump, PumpCounters
from bench.loadgen.responder import Responder
from bench.record.account import (
    OPENED,
    Account,
    ConsumerLog,
    CountedConsumerLog,
    CountedProducerLog,
    ProducerLog,
    ResponderLog,
    account,
    warm_kernels,
)
from bench.run import worker_account
from bench.run.shared_board import Board, WorkerCells
from bench.run.worker_assignment import Assignment
from bench.scenario.scenario import A_PART
from bench.units import NS_PER_MS

EXIT_BROKER = 20
EXIT_NO_ROOM = 21
_LOOK_NS = 5 * NS_PER_MS
"""How often consumers that are held look whether they are let in."""


def work(
    task: Assignment, port: Port, clock: Clock, cells: WorkerCells, opened_ns: int | None = None
) -> tuple[Account, DriverError | None]:
    """Say ready, wait for the start, pump until stopped; return the account.

    The second part is what ended the work early, where something did: the account then
    holds all there was until that moment. `opened_ns` is when consumers that were held had subscribed.
    """
    cells.ready()
    while not (start_ns := cells.start_ns()):
        if cells.stopped():
            return account(None, None, port.counters(), flow=task.flow), None
        port.poll(2 * NS_PER_MS)
    load = task.workload
    if task.role == "responder":
        return _answer(task, port, clock, cells, start_ns)
    producer: ProducerLog | None = None
    consumer: ConsumerLog | None = None
    spec, meter = task.port_spec(), task.meter()
    if spec.producers:
        numbers = tuple(lane.producer for lane in spec.producers)
        producer = (CountedProducerLog if load.messages else ProducerLog)(
            numbers, start_ns, load.confirm_window, closed=load.closed, meter=meter, owing=task.owing()
        )
    if spec.consumers:
        consumer = (CountedConsumerLog if load.messages else ConsumerLog)(
            len(spec.consumers),
            load.producers,
            task.heard_at,
            start_ns,
            closed=load.closed,
            meter=meter,
            receiving=task.receiving(),
        )

    def give(producers: Int64) -> None:
        cells.give(producers, load.workers)

    driver = driver_named(task.driver)
    pump = Pump(
        port,
        clock,
        cells,
        source=task.source(start_ns, cells, None if producer is None else producer.ledger.outcomes),
        producer=producer,
        consumer=consumer,
        lanes=len(spec.producers),
        received=give if task.workload.closed else None,
        pacer=task.pacer(),
        intake=task.intake(),
        drop_after_ns=task.drop_after_ns,
        plans=driver.plans,
        holds=driver.holds and (driver.inline or load.ack_batch > 0),
    )
    ended: DriverError | None = None
    try:
        pump.run()
    except DriverError as error:
        ended = error
    made = account(producer, consumer, port.counters() | pump.counters(), flow=task.flow)
    return (made if opened_ns is None else replace(made, times={**made.times, OPENED: opened_ns})), ended


def _let_in(task: Assignment, port: Port, clock: Clock, cells: WorkerCells) -> Port | None:
    """Leave the broker until consumers are let in; return the port that is open then; None where that never comes.

    What a consumer is given in advance (prefetch, credit) would leave the queue before that. All that takes time in
    opening a port but the broker was done the first time.

    Raises:
        DriverError: the port could not be opened again.
    """
    port.close()
    cells.ready()
    while not cells.released():
        if cells.stopped():
            return None
        if cells.start_ns():
            cells.beat(PumpCounters(done=True), clock.now_ns())
        clock.sleep_ns(_LOOK_NS)
    return open_port(task.driver, task.port_spec(), clock)


def _answer(
    task: Assignment, port: Port, clock: Clock, cells: WorkerCells, start_ns: int
) -> tuple[Account, DriverError | None]:
    """Answer requests until stopped; as `work`."""
    log = ResponderLog(start_ns)
    responder = Responder(port, clock, cells, log, task.workload.think)
    ended: DriverError | None = None
    try:
        responder.run()
    except DriverError as error:
        ended = error
    return account(None, None, port.counters() | responder.counters(), responder=log, flow=task.flow), ended


def main() -> int:
    """Run one worker process: assignment on standard input, account in a file."""
    die_with_parent()  # a conductor that is killed outright cannot end its workers
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the conductor decides what Ctrl-C means
    task = Assignment.model_validate_json(sys.stdin.buffer.read(), context=A_PART)
    if os.getppid() != task.conductor:
        return 1  # it died before the kernel was asked to tell us
    assert task.account is not None  # noqa: S101  (for the type checker: a process hands over a file)
    allow_most()
    warm_kernels()
    clock = RealClock()
    try:
        port = open_port(task.driver, task.port_spec(), clock)
    except DriverError as error:
        return _fail(task.account, error)
    if task.unhurried and cast("TimedPort", port).tells_times():
        be_unhurried()
    else:
        be_punctual()
    cells = Board(task.rows, task.board_fd).view(task.row, task.wake_fds, task.producers_from, task.completion())
    try:
        last, opened_ns = (_let_in(task, port, clock, cells), clock.now_ns()) if task.held else (port, None)
        if last is None:
            result, ended = account(None, None, {}, flow=task.flow), None
        else:
            result, ended = work(task, last, clock, cells, opened_ns)
    except DriverError as error:
        return _fail(task.account, error)
    if not handed_over(task.account, result):
        return EXIT_NO_ROOM
    if ended is not None:
        return _fail(task.account, ended)
    if last is not None:
        last.close()
    return 0


def handed_over(file: Path, result: Account) -> bool:
    """Write an account; return False where no room is left for it, nor then for a word on that in the worker's log."""
    try:
        worker_account.save(file, result)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return False
        raise
    return True


def error_file(account_file: Path) -> Path:
    """Return where a worker says why it ended early."""
    return account_file.with_suffix(".error")


def _fail(account_file: Path, error: DriverError) -> int:
    error_file(account_file).write_text(f"{type(error).__name__}\n{error}\n", encoding="utf-8")
    return EXIT_BROKER


if __name__ == "__main__":
    sys.exit(main())
