"""Starting a program that does not outlive its parent: the kernel ends it when the parent dies.

As a program (`python child_process.py PARENT COMMAND…`) it asks the kernel for that and becomes the
command, so that process id and descriptors stay. It imports nothing of ours, to start soon.
"""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO

_PR_SET_PDEATHSIG = 1


def start(
    command: Sequence[str],
    *,
    stdout: int | IO[bytes],
    stderr: int | IO[bytes],
    pass_fds: Sequence[int] = (),
    folder: Path | None = None,
) -> "subprocess.Popen[bytes]":
    """Start a command in a session of its own: Ctrl-C in a terminal is for us alone.

    The kernel ends it when the *thread* that called this ends (prctl(2)).

    Raises:
        OSError: the host does not let us.
    """
    return subprocess.Popen(
        [sys.executable, "-I", "-S", __file__, str(os.getpid()), *command],
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        pass_fds=pass_fds,
        start_new_session=True,
        cwd=folder,
    )


def die_with_parent() -> None:
    """Have the kernel end this process when the thread that started it ends, even if this one is stopped then.

    It may have ended before: that is for the caller to see.
    """
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def main(arguments: Sequence[str]) -> int:
    """Become the command, or return an exit code where the parent is gone or there is no such command."""
    parent, *command = arguments
    die_with_parent()
    if os.getppid() != int(parent):
        return 1  # it died before the kernel was asked to tell us
    try:
        os.execvp(command[0], command)  # noqa: S606  (no shell is wanted)
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
    return 127


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
