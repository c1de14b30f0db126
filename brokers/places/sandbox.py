"""The place `sandbox`: the image's root file system, read-only, under bubblewrap.

The broker sees the image at `/`, its own folder at `/run/bench` and the host's network;
it has process ids of its own, so ending the namespace ends everything in it, and the
namespace ends with the process that started it, even when that one is killed.
"""

import contextlib
import json
import os
import shutil
import subprocess
import threading
import time
from pathlib import Path, PurePosixPath

import psutil

from brokers.limits import Limits
from brokers.places.base import Launch, Place, Running

HOME = PurePosixPath("/run/bench")
REFRESH_S = 1.0
END_TIMEOUT_S = 10.0
INFO_FD = "{info_fd}"
"""Stands for the number of the pipe on which bubblewrap tells the id of its first process."""

# Joins the control groups named before `--` (by writing its own id), then becomes the
# command after it: no process of the broker ever runs outside its limits.
JOIN = 'while [ "$1" != -- ]; do echo $$ > "$1" || exit 125; shift; done; shift; exec "$@"'


def command(root: Path, launch: Launch, bwrap: str = "bwrap") -> tuple[str, ...]:
    """Return the bubblewrap command line of a launch. Pure."""
    variables = [part for name, value in launch.environment.items() for part in ("--setenv", name, value)]
    # fmt: off
    return (
        bwrap,
        "--unshare-pid", "--unshare-ipc", "--die-with-parent", "--info-fd", INFO_FD,
        "--ro-bind", str(root), "/",
        "--tmpfs", "/run", "--bind", str(launch.folder), str(HOME),
        "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp",  # noqa: S108  (the sandbox's own)
        "--chdir", str(HOME),
        "--clearenv", *variables,
        "--", *launch.argv,
    )
    # fmt: on


class SandboxProcess(Running):
    """A bubblewrap and the broker in it.

    A thread of its own starts it and waits for it: `--die-with-parent` is
    PR_SET_PDEATHSIG, which fires when the starting *thread* ends (prctl(2)), so that
    thread must live as long as the broker.
    """

    def __init__(self, argv: tuple[str, ...], launch: Launch) -> None:
        """Start it; raise OSError where that is impossible."""
        self._argv = argv
        self._launch = launch
        self._lock = threading.Lock()
        self._pids: tuple[int, ...] = ()
        self._refreshed = float("-inf")
        self._started = threading.Event()
        self._ended = threading.Event()
        self._error: OSError | None = None
        self._popen: subprocess.Popen[bytes] | None = None
        self._first: psutil.Process | None = None
        threading.Thread(target=self._keep, name="sandbox-keeper", daemon=True).start()
        self._started.wait()
        if self._error is not None:
            raise self._error

    def _keep(self) -> None:
        reading, writing = os.pipe()
        try:
            with self._launch.output.open("ab") as output, os.fdopen(reading, "rb") as information:
                try:
                    self._popen = subprocess.Popen(
                        [part.format(info_fd=writing) if part == INFO_FD else part for part in self._argv],
                        stdin=subprocess.DEVNULL,
                        stdout=output,
                        stderr=subprocess.STDOUT,
                        pass_fds=(writing,),
                        start_new_session=True,  # Ctrl-C is for us, not for the broker
                    )
                finally:
                    os.close(writing)
                self._first = _first(information.read())
        except OSError as error:
            self._error = error
            return
        finally:
            self._started.set()
        self._popen.wait()
        self._ended.set()

    def _tree(self) -> list[psutil.Process]:
        """Return every process of the namespace but its first, which is bubblewrap's."""
        if self._first is None:
            return []
        try:
            return self._first.children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    def pids(self) -> tuple[int, ...]:
        """See `Running`; the tree is looked at again once a second."""
        with self._lock:
            if time.monotonic() - self._refreshed >= REFRESH_S:
                self._pids = tuple(process.pid for process in self._tree())
                self._refreshed = time.monotonic()
            elif self._ended.is_set():
                self._pids = ()
            return self._pids

    def exit_code(self) -> int | None:
        """See `Running`."""
        if not self._ended.is_set() or self._popen is None:
            return None
        code = self._popen.returncode
        return 128 - code if code < 0 else code

    def signal(self, signum: int) -> None:
        """See `Running`. Process 1 of the namespace ignores signals, so it is not asked."""
        for process in self._tree():
            if _name(process) == self._launch.main:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.send_signal(signum)

    def wait(self, timeout_s: float) -> bool:
        """See `Running`."""
        return self._ended.wait(timeout_s)

    def end(self) -> None:
        """See `Running`.

        The death of a namespace's first process ends every other, and it is complete only
        when they are gone (pid_namespaces(7)): waiting for that one is waiting for all.
        """
        if self._first is not None:
            with contextlib.suppress(psutil.NoSuchProcess):
                self._first.kill()
        if self._popen is not None and not self._ended.wait(END_TIMEOUT_S):
            self._popen.kill()
            self._ended.wait(END_TIMEOUT_S)
        if self._first is not None:
            psutil.wait_procs([self._first], timeout=END_TIMEOUT_S)


def _first(information: bytes) -> psutil.Process | None:
    """Return the first process of the namespace, from what bubblewrap wrote; None where it failed."""
    with contextlib.suppress(ValueError, KeyError, psutil.NoSuchProcess):
        return psutil.Process(int(json.loads(information)["child-pid"]))
    return None


def _name(process: psutil.Process) -> str:
    try:
        return process.name()
    except psutil.NoSuchProcess:
        return ""


class Sandbox(Place):
    """Bubblewrap over one image."""

    def __init__(self, root: Path) -> None:
        """Take the image's root file system."""
        self._root = root

    def home(self, folder: Path) -> PurePosixPath:  # noqa: ARG002  (the same for each folder)
        """See `Place`."""
        return HOME

    def start(self, launch: Launch, limits: Limits) -> Running:
        """See `Place`."""
        bwrap = shutil.which("bwrap")
        if bwrap is None:
            message = "bwrap is not installed; it comes with the package bubblewrap (`bench doctor` tells more)"
            raise FileNotFoundError(message)
        inner = command(self._root, launch, bwrap)
        if not limits.joins:
            return SandboxProcess(inner, launch)
        joins = tuple(os.fspath(path) for path in limits.joins)
        return SandboxProcess(("/bin/sh", "-c", JOIN, "sh", *joins, "--", *inner), launch)
