"""Limits as the kernel has them of running processes, whoever set them, and by whatever means."""

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from brokers import cpu_numbers
from brokers.ground import CPUS, MEMORY
from brokers.places.limits import find

_NO_CAP = 1 << 60
"""A cap from here on is none: version 1 writes the largest number of whole pages."""
_CAP_FILES = {1: "memory.limit_in_bytes", 2: "memory.max"}


def in_force(pids: Iterable[int], proc: Path = Path("/proc")) -> dict[str, str]:
    """Return the memory cap and the CPUs of processes, in words; nothing where this host sees none of them.

    Args:
        pids: processes of one program.
        proc: where the kernel tells of processes.
    """
    caps: set[int | None] = set()
    cpus: set[int] = set()
    for pid in pids:
        with contextlib.suppress(OSError, ValueError):
            caps.add(_memory_cap(proc, pid))
            cpus |= {*_cpus(proc, pid)}
    if not caps:
        return {}
    return {MEMORY: " / ".join(sorted(map(_cap_words, caps))), CPUS: cpu_numbers.words(cpus)}


def _cap_words(cap: int | None) -> str:
    return "no cap" if cap is None else f"{cap // 1024**2} MiB"


def _memory_cap(proc: Path, pid: int) -> int | None:
    """Return the least cap of the groups that a process is in, bytes; None where no group has one."""
    groups = find((proc / str(pid) / "cgroup").read_text(), (proc / "self" / "mountinfo").read_text())
    at = groups.get("memory") or groups.get("unified")
    return None if at is None else min(_caps(at.folder, _CAP_FILES[at.version]), default=None)


def _caps(folder: Path, name: str) -> Iterator[int]:
    for group in (folder, *folder.parents):
        try:
            text = (group / name).read_text().strip()
        except OSError:
            if group != folder:  # the root group of version 2 has no cap, nor has what is above the mount
                return
            continue
        if text.isdigit() and int(text) < _NO_CAP:
            yield int(text)


def _cpus(proc: Path, pid: int) -> tuple[int, ...]:
    for line in (proc / str(pid) / "status").read_text().splitlines():
        if line.startswith("Cpus_allowed_list:"):
            return cpu_numbers.read(line.partition(":")[2])
    return ()
