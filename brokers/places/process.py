"""A program as processes of this host's kernel: started, sampled, signalled, ended.

Places whose programs this host sees as processes derive from `HostProcess`.
"""

import contextlib
import os
import subprocess
import threading
import time
from pathlib import Path
from typing import IO

import psutil

from brokers.places.base import Caps, Launch, Running
from brokers.places.limits import Limits, impose
from brokers.places.sampling import ProcessUsage, Sampled
from brokers.regular_file import open_regular

REFRESH_S = 1.0
END_TIMEOUT_S = 10.0

# Joins the control groups named before `--` (by writing its own id), then becomes the
# command after it: no process of the program ever runs outside its limits.
JOIN = 'while [ "$1" != -- ]; do echo $$ > "$1" || exit 125; shift; done; shift; exec "$@"'


class HostProcess(Running):
    """A process that we start, and those that it starts.

    A thread of its own starts it and waits for it: `PR_SET_PDEATHSIG`, which places may use,
    fires when the starting *thread* ends (prctl(2)), so that thread must live as long as it.
    """

    def __init__(self, argv: tuple[str, ...], launch: Launch, caps: Caps | None) -> None:
        """Start a command line within limits.

        Args:
            argv: what is started on this host; the launch's own command may be a part of it.
            launch: folder, output and main process.
            caps: limits of all that it starts; None = none of its own.

        Raises:
            OSError: that is impossible; the limits are gone again.
        """
        self._launch = launch
        self._limits = Limits() if caps is None else impose(caps.memory, caps.cpus, pinned=caps.pinned)
        self._pinned = () if caps is None else caps.pinned
        self.limits = dict(self._limits.facts)
        joins = tuple(os.fspath(path) for path in self._limits.joins)
        self._argv = ("/bin/sh", "-c", JOIN, "sh", *joins, "--", *argv) if joins else argv
        self._lock = threading.Lock()
        self._pids: tuple[int, ...] = ()
        self._refreshed = float("-inf")
        self._sampled = Sampled(self.pids)
        self._started = threading.Event()
        self._ended = threading.Event()
        self._error: OSError | None = None
        self._popen: subprocess.Popen[bytes] | None = None
        self._first: psutil.Process | None = None
        threading.Thread(target=self._keep, name="process-keeper", daemon=True).start()
        try:
            self._started.wait()
        except BaseException:  # Ctrl-C: the caller has nothing yet to end it by
            self._started.wait()
            self.end()
            raise
        if self._error is not None:
            self._limits.remove()
            raise self._error

    def _keep(self) -> None:
        try:
            if self._pinned:
                # What this thread starts inherits its CPUs (sched_setaffinity(2)), so nothing runs elsewhere first.
                os.sched_setaffinity(0, self._pinned)
            # The folder is the broker's own: a link that it put there would be written to by our rights.
            with os.fdopen(open_regular(self._launch.output, os.O_WRONLY | os.O_APPEND | os.O_CREAT), "ab") as output:
                self._popen, self._first = self._spawn(output)
        except OSError as error:
            self._error = error
            return
        finally:
            self._started.set()
        self._popen.wait()
        self._ended.set()

    def _spawn(self, output: IO[bytes]) -> tuple["subprocess.Popen[bytes]", psutil.Process | None]:
        """Start it; return it, and the process below which all others are (None where it failed)."""
        popen = subprocess.Popen(
            self._argv,
            cwd=self._launch.folder,
            env=dict(self._launch.environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for us, not for the broker
        )
        with contextlib.suppress(psutil.NoSuchProcess):
            return popen, psutil.Process(popen.pid)
        return popen, None

    def _tree(self) -> list[psutil.Process]:
        """Return every process of the program."""
        return [self._first, *below(self._first)] if self._first is not None and self._first.is_running() else []

    def pids(self) -> tuple[int, ...]:
        """See `Running`; the tree is looked at again once a second."""
        with self._lock:
            if time.monotonic() - self._refreshed >= REFRESH_S:
                self._pids = tuple(process.pid for process in self._tree())
                self._refreshed = time.monotonic()
            elif self._ended.is_set():
                self._pids = ()
            return self._pids

    def usage(self) -> ProcessUsage | None:
        """See `Running`."""
        return self._sampled.usage()

    def switches(self) -> tuple[int, int] | None:
        """See `Running`."""
        return self._sampled.switches()

    def exit_code(self) -> int | None:
        """See `Running`."""
        if not self._ended.is_set() or self._popen is None:
            return None
        code = self._popen.returncode
        return 128 - code if code < 0 else code

    def out_of_memory(self) -> bool:
        """See `Running`."""
        return self._limits.out_of_memory()

    def signal(self, signum: int) -> None:
        """See `Running`; every process that is called as the main one gets it."""
        for process in self._tree():
            with contextlib.suppress(psutil.NoSuchProcess):
                if process.name() == self._launch.main:
                    process.send_signal(signum)

    def wait(self, timeout_s: float) -> bool:
        """See `Running`."""
        return self._ended.wait(timeout_s)

    def end(self) -> None:
        """See `Running`."""
        self._kill()
        if self._popen is not None and not self._ended.wait(END_TIMEOUT_S):
            self._popen.kill()
            self._ended.wait(END_TIMEOUT_S)
        self._sampled.close()
        self._limits.remove()

    def _kill(self) -> None:
        """Kill every process and wait until they are gone."""
        doomed = self._tree()
        for process in doomed:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        # The first is our own child, whose exit code is for the keeper to take.
        psutil.wait_procs([one for one in doomed if one != self._first], timeout=END_TIMEOUT_S)


def below(process: psutil.Process) -> list[psutil.Process]:
    """Return the processes that one started, and those that they did; none where it has ended."""
    try:
        found: list[psutil.Process] = process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []
    return found


def newest_below(root: Path, pattern: str) -> Path:
    """Return the last of the files below a root that match a pattern, by name.

    Raises:
        FileNotFoundError: there is none; names root and pattern.
    """
    found = sorted(root.glob(pattern.lstrip("/")))
    if not found:
        message = f"{root} holds no {pattern}"
        raise FileNotFoundError(message)
    return found[-1]
