"""A program as processes of this host: started, sampled, signalled, ended whole."""

import os
import signal
from pathlib import Path

import psutil
import pytest

from brokers.ground import CPUS
from brokers.places.base import Caps, Launch
from brokers.places.in_force import in_force
from brokers.places.process import HostProcess, newest_below

TREE = "sleep 60 & sleep 60 & echo started; wait"


def launch(folder: Path, script: str, main: str = "sh") -> Launch:
    """Return a shell's launch."""
    return Launch(("/bin/sh", "-c", script), {"PATH": "/usr/bin:/bin"}, folder, folder / "log", main)


def started(folder: Path, script: str, caps: Caps | None = None, main: str = "sh") -> HostProcess:
    """Start a script, and wait until it says so where it does."""
    wanted = launch(folder, script, main)
    process = HostProcess(wanted.argv, wanted, caps)
    if "echo started" in script:
        while "started" not in wanted.output.read_text():
            assert not process.wait(0.01)
    return process


def test_everything_it_started_ends_with_it(tmp_path: Path) -> None:
    """Children included; what it used is known while it runs; to end it again is no fault."""
    process = started(tmp_path, TREE)
    pids = process.pids()
    assert len(pids) == 3
    used = process.usage()
    assert used is not None
    assert used.rss > 0
    assert process.switches() is not None
    process.end()
    process.end()
    assert not any(psutil.pid_exists(pid) for pid in pids)
    assert process.pids() == ()
    assert process.usage() is None


def test_a_signal_goes_to_the_main_process(tmp_path: Path) -> None:
    """By its name; its exit code says how it ended."""
    process = started(tmp_path, "trap 'exit 7' TERM; echo started; while :; do sleep 0.01; done")
    process.signal(signal.SIGTERM)
    assert process.wait(10)
    assert process.exit_code() == 7
    process.end()


def test_nobody_else_is_signalled(tmp_path: Path) -> None:
    """Where no process is called so, nothing happens."""
    process = started(tmp_path, TREE, main="java")
    process.signal(signal.SIGTERM)
    assert not process.wait(0.1)
    process.end()
    assert process.exit_code() == 128 + signal.SIGKILL


def test_limits_hold_from_the_first_instruction_and_are_taken_away(tmp_path: Path) -> None:
    """Where control groups can be written the process stands in its own; afterwards there is none."""
    process = started(tmp_path, "cat /proc/self/cgroup; echo started; sleep 60", Caps(256 * 1024**2, 1))
    try:
        assert set(process.limits) == {"memory", "cpus"}
        if "cgroup" in process.limits["memory"]:
            assert "busbench-" in (tmp_path / "log").read_text()
        assert not process.out_of_memory()
        groups = process._limits.groups
    finally:
        process.end()
    assert not any(group.exists() for group in groups)


def test_a_program_is_pinned_from_its_first_instruction(tmp_path: Path) -> None:
    """Whether by a set of CPUs or by affinity; the thread that waits for it is no matter."""
    one = max(os.sched_getaffinity(0))
    script = "grep Cpus_allowed_list /proc/self/status; echo started; sleep 60"
    process = started(tmp_path, script, Caps(256 * 1024**2, 1, (one,)))
    try:
        assert f"Cpus_allowed_list:\t{one}\n" in (tmp_path / "log").read_text()
        assert in_force(process.pids())[CPUS] == str(one)
        assert process.limits["cpus"].startswith(f"1, pinned to {one} by ")
        groups = process._limits.groups
    finally:
        process.end()
    assert not any(group.exists() for group in groups)


def test_what_cannot_be_started_leaves_no_limits(tmp_path: Path) -> None:
    """The fault is the caller's to tell."""
    wanted = Launch(("/no/such/program",), {}, tmp_path, tmp_path / "log", "x")
    with pytest.raises(FileNotFoundError):
        HostProcess(wanted.argv, wanted, None)


def test_the_newest_file_is_the_last_by_name(tmp_path: Path) -> None:
    """Of versions installed side by side; where there is none, the place that was searched is named."""
    for version in ("1.0", "1.1"):
        (tmp_path / f"opt/x-{version}").mkdir(parents=True)
    assert newest_below(tmp_path, "/opt/x-*") == tmp_path / "opt/x-1.1"
    with pytest.raises(FileNotFoundError, match=rf"{tmp_path} holds no opt/y-\*"):
        newest_below(tmp_path, "opt/y-*")
