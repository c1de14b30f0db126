"""A leashed program becomes the command, and ends with the one who started it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from bench.host import child_process

STARTER = """
import subprocess, sys, time
from bench.host import child_process
process = child_process.start(("sleep", "60"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print(process.pid, flush=True)
time.sleep(60)
"""


def test_the_command_runs_under_the_same_process_id(tmp_path: Path) -> None:
    """Output, folder and descriptors are those that were given."""
    reading, writing = os.pipe()
    code = f"import os; os.write({writing}, b'heard'); print(os.getpid(), os.getcwd())"
    process = child_process.start(
        (sys.executable, "-c", code),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=(writing,),
        folder=tmp_path,
    )
    os.close(writing)
    out, _ = process.communicate(timeout=30)
    assert out.decode().split() == [str(process.pid), str(tmp_path)]
    assert os.read(reading, 10) == b"heard"
    os.close(reading)


def test_a_command_that_is_not_there_is_told() -> None:
    """Exit code 127, as a shell's."""
    process = child_process.start(("no-such-tool",), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    _, error = process.communicate(timeout=30)
    assert process.returncode == 127
    assert error.decode().startswith("no-such-tool: ")


def _has_ended(process: psutil.Process) -> bool:
    """Whether it is gone, or dead and not yet collected by whoever inherited it."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _is_sleep(process: psutil.Process) -> bool:
    """Whether the leash has become the command; between the two programs a process has no arguments at all."""
    return process.cmdline()[:1] == ["sleep"]


def _await(holds: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < until, what
        time.sleep(0.02)


def test_it_ends_with_its_starter() -> None:
    """A starter killed outright leaves nothing behind."""
    with subprocess.Popen(
        [sys.executable, "-c", STARTER], stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": "."}
    ) as starter:
        assert starter.stdout is not None
        leashed = psutil.Process(int(starter.stdout.readline()))
        _await(lambda: _is_sleep(leashed), "the leash never became the command")
        starter.send_signal(signal.SIGKILL)
        starter.wait()
        _await(lambda: _has_ended(leashed), "the command outlived its starter")
