"""Limits as the kernel has them, of a made-up process and of a real one."""

import os
from pathlib import Path

from brokers.cpu_numbers import words
from brokers.ground import CPUS, MEMORY
from brokers.places.in_force import in_force


def _process(proc: Path, pid: int, group: str, mounted: Path, cpus: str) -> None:
    (proc / str(pid)).mkdir(parents=True)
    (proc / str(pid) / "cgroup").write_text(f"0::{group}\n")
    (proc / str(pid) / "status").write_text(f"Name:\tx\nCpus_allowed_list:\t{cpus}\n")
    (proc / "self").mkdir(exist_ok=True)
    (proc / "self" / "mountinfo").write_text(f"30 24 0:26 / {mounted} rw - cgroup2 cgroup2 rw\n")


def test_the_least_cap_above_a_process_is_in_force(tmp_path: Path) -> None:
    """Its own group has none here, the one above it has; CPUs of all processes count."""
    groups = tmp_path / "groups"
    (groups / "a" / "b").mkdir(parents=True)
    (groups / "a" / "memory.max").write_text(f"{512 * 1024**2}\n")
    (groups / "a" / "b" / "memory.max").write_text("max\n")
    _process(tmp_path / "proc", 10, "/a/b", groups, "2")
    _process(tmp_path / "proc", 11, "/a/b", groups, "3")
    assert in_force((10, 11), tmp_path / "proc") == {MEMORY: "512 MiB", CPUS: "2-3"}


def test_no_cap_is_told_as_none(tmp_path: Path) -> None:
    """Groups without one."""
    (tmp_path / "groups").mkdir()
    _process(tmp_path / "proc", 10, "/", tmp_path / "groups", "0")
    assert in_force((10,), tmp_path / "proc") == {MEMORY: "no cap", CPUS: "0"}


def test_who_cannot_be_seen_has_nothing_in_force(tmp_path: Path) -> None:
    """A process that is gone, and a broker elsewhere."""
    assert in_force((), tmp_path) == in_force((10,), tmp_path) == {}


def test_our_own_process_runs_on_its_affinity() -> None:
    """Against the kernel's other way to tell."""
    assert in_force((os.getpid(),))[CPUS] == words(os.sched_getaffinity(0))
