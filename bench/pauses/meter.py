"""The pause meter: one sleeper a CPU, in a process of its own that outlives no conductor.

As a program (`python -m bench.pauses.meter FD CPUS GROUP`) it is told on standard input what to do, a
line each: `run` begins, `rest` ends, and each is answered by a line. Between trials its threads
are gone: tasks at SCHED_FIFO keep control groups with a CPU quota from being made (cgroup v2), and
have no budget of time in new ones (v1 with RT_GROUP_SCHED). For the same reason it moves to the root group.
"""

import contextlib
import os
import resource
import select
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from bench.drivers.base import Int64
from bench.host import libc
from bench.host.child_process import die_with_parent
from bench.host.realtime import be_punctual
from bench.jit import kernel_entry
from bench.pauses.board import (
    COUNT,
    CPU,
    ENTRIES,
    FIFO,
    PERIOD,
    PROBE_EVERY,
    RING,
    RUN,
    THRESHOLD,
    USED,
    WAKE,
    WAKES,
    PauseBoard,
)
from bench.units import NS_PER_S

PRIORITY = 50
"""Of the sleepers, at SCHED_FIFO; workers run as normal tasks, and so do brokers."""
_ANSWER_S = 20.0
"""Longest wait for an answer; a first start compiles the sleeper."""
_ACCOUNT_EVERY = 32
"""Wakes between two looks at the CPU time used."""


class PauseMeter:
    """The meter's process, as its conductor sees it.

    Attributes:
        cpus: the CPUs that are watched: those that we may use.
        fd: the board's memory, for other processes.
        board: the board.
        trouble: why the meter cannot be used; empty while it can.
    """

    def __init__(self, group: Path) -> None:
        """Start the process; it measures nothing yet.

        Args:
            group: the topmost control group, which it joins where it may.
        """
        self.cpus = tuple(sorted(os.sched_getaffinity(0)))
        self.fd = PauseBoard.share(len(self.cpus))
        self.board = PauseBoard(len(self.cpus), self.fd)
        self.board.cells[1:, CPU] = self.cpus
        self.trouble = ""
        self._process: subprocess.Popen[bytes] | None = None
        try:
            # It ends when its input does, which is when we end, however that comes about.
            self._process = subprocess.Popen(
                [sys.executable, "-m", "bench.pauses.meter", str(self.fd), str(len(self.cpus)), str(group)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                pass_fds=(self.fd,),
                start_new_session=True,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            )
        except OSError as error:
            self.trouble = f"the pause meter could not be started ({error})"

    def __enter__(self) -> Self:
        """Return the meter."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the process."""
        self.close()

    def run(self) -> None:
        """Clear the board and begin; returns once every sleeper has woken, or with `trouble`."""
        if not self.trouble:
            self.board.clear()
            self._tell("run")

    def rest(self) -> None:
        """End; the board stays as it is."""
        self.board.cells[0, RUN] = 0
        if not self.trouble:
            self._tell("rest")

    def close(self) -> None:
        """End the process and give the memory back; others that hold it keep it."""
        self.board.cells[0, RUN] = 0
        if self._process is not None:
            for pipe in (self._process.stdin, self._process.stdout):
                assert pipe is not None  # noqa: S101  (for the type checker: both were asked for)
                with contextlib.suppress(OSError):
                    pipe.close()
            try:
                self._process.wait(_ANSWER_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
            os.close(self.fd)
        self.trouble = self.trouble or "the pause meter was closed"

    def _tell(self, command: str) -> None:
        process = self._process
        assert process is not None  # noqa: S101  (for the type checker: there is no trouble)
        assert process.stdin is not None  # noqa: S101
        assert process.stdout is not None  # noqa: S101
        answer = b""
        with contextlib.suppress(OSError):
            os.write(process.stdin.fileno(), f"{command}\n".encode())
            if select.select([process.stdout], [], [], _ANSWER_S)[0]:
                answer = os.read(process.stdout.fileno(), 1024)
        if not answer:
            # It may still read the command, and would then run on.
            process.kill()
            process.wait()
            self.board.cells[0, RUN] = 0
            self.trouble = f"the pause meter ended, or did not answer within {_ANSWER_S:.0f} s"


@kernel_entry
def watch(board: Int64, number: int, times: Int64) -> int:
    """Sleep and note late wakes until board[0, RUN] is 0; return the number of wakes.

    Args:
        board: int64, see `bench.pauses.board`.
        number: row of this CPU.
        times: int64 (2,), scratch: a struct timespec.
    """
    control, row = board[0], board[number]
    period, threshold, every = control[PERIOD], control[THRESHOLD], control[PROBE_EVERY]
    wakes, count, used_ns = 0, 0, _now_ns(libc.CLOCK_THREAD_CPUTIME_ID, times)
    woke_ns = _now_ns(libc.CLOCK_MONOTONIC, times)
    next_ns, probe_ns = woke_ns + period, woke_ns
    while control[RUN] != 0:
        times[0], times[1] = next_ns // NS_PER_S, next_ns % NS_PER_S
        if libc.clock_nanosleep(libc.CLOCK_MONOTONIC, libc.TIMER_ABSTIME, times.ctypes.data, np.uint64(0)) != 0:
            continue  # a signal came
        now_ns = _now_ns(libc.CLOCK_MONOTONIC, times)
        late = now_ns - next_ns > threshold
        # One sleeper's probes are enough, and their time does not depend on when pauses come.
        probes = not late and number == 1 and now_ns - probe_ns >= every
        if probes:
            probe_ns = now_ns
        if late or probes:
            at = ENTRIES + 2 * (count & (RING - 1))
            row[at], row[at + 1] = woke_ns if late else now_ns, now_ns
            count += 1
            row[COUNT] = count
        if wakes % _ACCOUNT_EVERY == 0:
            row[USED] = _now_ns(libc.CLOCK_THREAD_CPUTIME_ID, times) - used_ns
        wakes += 1
        row[WAKES] = wakes
        row[WAKE] = now_ns
        woke_ns = now_ns
        next_ns = next_ns + period if next_ns + period > now_ns else now_ns + period
    return wakes


@kernel_entry
def _now_ns(clock: int, times: Int64) -> int:
    libc.clock_gettime(clock, times.ctypes.data)
    return int(times[0] * NS_PER_S + times[1])


def _sleep(board: PauseBoard, number: int) -> None:
    """Be the sleeper of one CPU; a thread's affinity and policy are its own (sched(7))."""
    row = board.cells[number]
    with contextlib.suppress(OSError):
        os.sched_setaffinity(0, {int(row[CPU])})
    be_punctual()
    # Any priority lies above workers, which have none.
    for priority in (PRIORITY, min(PRIORITY, resource.getrlimit(resource.RLIMIT_RTPRIO)[0]), 1):
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(priority))
            row[FIFO] = 1
            break
    watch(board.cells, number, np.zeros(2, np.int64))


def main(arguments: Sequence[str]) -> int:
    """Do what standard input says, until it ends."""
    die_with_parent()  # its input would not end it while it is stopped
    fd, cpus, group = int(arguments[0]), int(arguments[1]), Path(arguments[2])
    board = PauseBoard(cpus, fd)
    with contextlib.suppress(OSError):
        (group / "cgroup.procs").write_text(str(os.getpid()))
    watch(board.cells, 1, np.zeros(2, np.int64))  # compiled now, as nothing runs yet
    threads: list[threading.Thread] = []
    for line in sys.stdin:
        board.cells[0, RUN] = 0
        for thread in threads:
            thread.join()
        threads = []
        if line.strip() == "run":
            board.cells[0, RUN] = 1
            threads = [threading.Thread(target=_sleep, args=(board, number + 1)) for number in range(cpus)]
            for thread in threads:
                thread.start()
            while not board.watermark_ns:
                time.sleep(0.001)
        sys.stdout.write(f"{line.strip()}\n")
        sys.stdout.flush()
    board.cells[0, RUN] = 0
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
