"""The worker processes of one trial: started, watched, ended. Nothing about what they measure."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.record.account import Account
from bench.run import worker_account
from bench.run.worker import EXIT_BROKER, EXIT_NO_ROOM, error_file
from bench.run.worker_assignment import Assignment


class WorkerEnded(Exception):  # noqa: N818  (what happened, not whose error it is)
    """A worker ended before it was told to.

    Attributes:
        broker: whether the broker refused or ended the work (else the fault is ours).
    """

    def __init__(self, message: str, *, broker: bool) -> None:
        """Keep the message and whose doing it was."""
        super().__init__(message)
        self.broker = broker


class WorkerPool:
    """The workers of a trial."""

    def __init__(self, tasks: Sequence[Assignment], folder: Path) -> None:
        """Keep one process for each task, with logs in `folder`; none is started yet."""
        self._tasks = tasks
        self._folder = folder
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Start every worker; raise WorkerEnded where the host does not let us."""
        for task in self._tasks:
            try:
                self._processes.append(self._start(task))
            except OSError as error:
                message = f"{task.name} could not be started ({error})"
                raise WorkerEnded(message, broker=False) from error

    def _started(self) -> Iterator[tuple[Assignment, "subprocess.Popen[bytes]"]]:
        # The host may have let us start but some of them.
        return zip(self._tasks, self._processes, strict=False)

    @property
    def pids(self) -> tuple[int, ...]:
        """Process ids, in order of the tasks."""
        return tuple(process.pid for process in self._processes)

    def halted(self) -> bool:
        """Return whether a worker is stopped, as by SIGSTOP: proc_pid_stat(5), states T and t."""
        with contextlib.suppress(OSError, IndexError):
            return any(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2][:1] in b"Tt" for pid in self.pids)
        return False

    def check(self, *, told: bool = False) -> None:
        """Raise WorkerEnded where a worker has ended; once `told` to, only where it did so badly."""
        for task, process in self._started():
            code = process.poll()
            if told and code == 0 and task.account is not None and task.account.exists():
                continue
            if code == EXIT_BROKER:
                message = f"{task.name}: {self._said(task)}"
                raise WorkerEnded(message, broker=True)
            if code == EXIT_NO_ROOM:
                message = (
                    f"{task.name} had no room for what it measured in {self._folder.parent}: make room there, or let"
                    " XDG_CACHE_HOME name another place"
                )
                raise WorkerEnded(message, broker=False)
            if code is not None:
                message = f"{task.name} {_ending(code)}: {self._last_line(task)}"
                raise WorkerEnded(message, broker=False)

    def see_off(self, timeout_s: float) -> None:
        """Wait until every worker has left; raise WorkerEnded where one does not, or leaves badly."""
        until = time.monotonic() + timeout_s
        for task, process in self._started():
            try:
                process.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired as error:
                message = f"{task.name} did not leave within {timeout_s:.0f} s"
                raise WorkerEnded(message, broker=False) from error
        self.check(told=True)

    def kill(self) -> None:
        """End every worker at once and reap it."""
        for process in self._processes:
            if process.poll() is None:
                process.kill()
        for process in self._processes:
            process.wait()

    def accounts(self) -> list[Account]:
        """Return the accounts that were handed over."""
        files = [task.account for task in self._tasks if task.account is not None and task.account.exists()]
        return [worker_account.load(file) for file in files]

    def _start(self, task: Assignment) -> subprocess.Popen[bytes]:
        fds = [task.board_fd, task.pauses_fd, task.wake_fd, *task.wake_fds]
        with (self._folder / f"{task.name}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "bench.run.worker"],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=[fd for fd in fds if fd is not None],
                # Ctrl-C in a terminal goes to the conductor alone; it decides what becomes of workers.
                start_new_session=True,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            )
        assert process.stdin is not None  # noqa: S101  (for the type checker: it is a pipe)
        with contextlib.suppress(BrokenPipeError):  # a worker that died already says so by its exit code
            process.stdin.write(task.model_dump_json().encode())
            process.stdin.close()
        return process

    def _said(self, task: Assignment) -> str:
        assert task.account is not None  # noqa: S101
        lines = error_file(task.account).read_text(encoding="utf-8").splitlines()
        return " ".join(lines[1:])

    def _last_line(self, task: Assignment) -> str:
        text = (self._folder / f"{task.name}.log").read_text(encoding="utf-8", errors="replace").strip()
        return text.splitlines()[-1] if text else "it left no word"


def _ending(code: int) -> str:
    if code < 0:
        return f"was killed by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"
