"""The memory cap and the CPUs of a broker, by control group where one can be made.

Both cgroup versions are known: v1 with one hierarchy a controller, and v2 where a part
of the tree is delegated to us. Where neither can be written, the broker's own limits are
all there is, and `Limits.facts` says so. Rules: https://docs.kernel.org/admin-guide/cgroup-v2.html
and .../cgroup-v1/index.html.
"""

import contextlib
import itertools
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from brokers.cpu_numbers import words

PREFIX = "busbench-"
PERIOD_US = 100_000
REMOVE_TIMEOUT_S = 5.0
OWN_ONLY = "the broker's own limit only (no control group can be written here)"
_numbers = itertools.count()


@dataclass(frozen=True)
class Limits:
    """Limits that hold for every process that joins them.

    Attributes:
        joins: files into which a process writes its id to join.
        facts: `memory` and `cpus`, and how each is enforced, for the report.
        groups: control groups made for this, removed by `remove`.
        events: file that counts processes ended for lack of memory, where there is one.
    """

    joins: tuple[Path, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    groups: tuple[Path, ...] = ()
    events: Path | None = None

    def out_of_memory(self) -> bool:
        """Return whether the kernel ended a process because the cap was reached."""
        if self.events is None:
            return False
        with contextlib.suppress(OSError, ValueError):
            for line in self.events.read_text().splitlines():
                name, _, value = line.partition(" ")
                if name == "oom_kill":
                    return int(value) > 0
        return False

    def remove(self) -> None:
        """Remove the control groups; every process must have ended."""
        deadline = time.monotonic() + REMOVE_TIMEOUT_S
        for group in self.groups:
            # Busy until the kernel has let go of the last process that ended.
            while not _removed(group) and time.monotonic() < deadline:
                time.sleep(0.01)


def _removed(group: Path) -> bool:
    try:
        group.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


@dataclass(frozen=True)
class Controller:
    """A folder below which control groups with one controller may be made."""

    folder: Path
    version: int


def find(cgroup: str, mountinfo: str) -> dict[str, Controller]:
    """Return where our own process stands, by controller (`memory`, `cpu`, `cpuset`, `unified`). Pure.

    Args:
        cgroup: text of /proc/self/cgroup, lines `id:controllers:path` (cgroups(7)).
        mountinfo: text of /proc/self/mountinfo (proc(5)).
    """
    mounts: dict[str, tuple[str, Path]] = {}
    for line in mountinfo.splitlines():
        left, _, right = line.partition(" - ")
        kind, _, options = [*right.split(), "", "", ""][:3]
        root, point = left.split()[3:5]
        names = ["unified"] if kind == "cgroup2" else options.split(",") if kind == "cgroup" else []
        for name in names:
            mounts.setdefault(name, (root, Path(point)))
    found = {}
    for line in cgroup.splitlines():
        number, controllers, path = line.split(":", 2)
        names = ["unified"] if number == "0" else controllers.split(",")
        for name in {"memory", "cpu", "cpuset", "unified"}.intersection(names, mounts):
            mounted, at = mounts[name]
            inside = path.removeprefix(mounted) if mounted != "/" else path
            found[name] = Controller(at / inside.lstrip("/"), 2 if name == "unified" else 1)
    return found


def delegated(start: Path, wanted: str, top: Path) -> Path | None:
    """Return the nearest v2 group at or above `start` that lets us make children with a controller."""
    folder = start
    while True:
        with contextlib.suppress(OSError):
            enabled = (folder / "cgroup.subtree_control").read_text().split()
            # Moving a process needs the common ancestor's cgroup.procs (cgroup v2, "Delegation Containment").
            if wanted in enabled and os.access(folder, os.W_OK) and os.access(folder / "cgroup.procs", os.W_OK):
                return folder
        if folder in (top, folder.parent):
            return None
        folder = folder.parent


def root_group() -> Path:
    """Return the topmost control group that we see of those that share out CPU time."""
    own = _read_own()
    found = own.get("cpu") or own.get("unified")
    if found is None:
        return Path("/sys/fs/cgroup")
    above = [folder for folder in (found.folder, *found.folder.parents) if (folder / "cgroup.procs").exists()]
    return above[-1] if above else found.folder


def impose(
    memory: int,
    cpus: int,
    own: Mapping[str, Controller] | None = None,
    host_cpus: int | None = None,
    pinned: tuple[int, ...] = (),
) -> Limits:
    """Make control groups with a memory cap and a CPU quota or a set of CPUs, as far as this host lets us.

    Args:
        memory: bytes.
        cpus: CPUs; no quota is needed where the host has no more.
        own: where our process stands; by default read from /proc.
        host_cpus: CPUs of the host that we may use; by default asked of the kernel.
        pinned: the CPUs to keep to, in place of a quota; where no group keeps to them, who starts the program must.
    """
    if own is None:
        own = _read_own()
    if host_cpus is None:
        host_cpus = len(os.sched_getaffinity(0))
    name = f"{PREFIX}{os.getpid()}-{next(_numbers)}"
    asked = {"memory": str(memory)}
    if pinned:
        asked["cpuset"] = words(pinned)
    elif cpus < host_cpus:
        asked["cpu"] = str(cpus * PERIOD_US)
    groups: dict[Path, int] = {}
    facts = {}
    for controller, value in asked.items():
        made = _make(controller, value, name, own)
        if made is not None:
            groups[made.folder] = made.version
            facts[controller] = f"cgroup v{made.version}"
    events = next((g / ("memory.oom_control" if v == 1 else "memory.events") for g, v in groups.items()), None)
    cpu_fact = facts.get("cpu", OWN_ONLY) if "cpu" in asked else f"the host has {host_cpus}: no quota needed"
    if pinned:
        by = f"cpuset of {facts['cpuset']}" if "cpuset" in facts else "affinity (no cpuset can be written here)"
        cpu_fact = f"pinned to {words(pinned)} by {by}"
    return Limits(
        joins=tuple(group / "cgroup.procs" for group in groups),
        facts={
            "memory": f"{memory // 1024**2} MiB, {facts.get('memory', OWN_ONLY)}",
            "cpus": f"{cpus}, {cpu_fact}",
        },
        groups=tuple(groups),
        events=events if "memory" in facts else None,
    )


def _make(controller: str, value: str, name: str, own: Mapping[str, Controller]) -> Controller | None:
    """Make (or reuse) this broker's group for one controller and set its limit; None where impossible."""
    at = own.get(controller) or own.get("unified")
    if at is None:
        return None
    parent = at.folder if at.version == 1 else delegated(at.folder, controller, Path("/sys/fs/cgroup"))
    if parent is None:
        return None
    _sweep(parent)
    group = parent / name
    try:
        group.mkdir(exist_ok=True)
        if controller == "cpuset" and at.version == 1:  # a group without memory nodes takes no process: cpuset(7)
            (group / "cpuset.mems").write_text((parent / "cpuset.mems").read_text())
        for file, text in _settings(controller, value, at.version).items():
            (group / file).write_text(text)
    except OSError:
        _removed(group)
        return None
    with contextlib.suppress(OSError):  # where the kernel accounts swap, none may be used
        swap, text = ("memory.memsw.limit_in_bytes", value) if at.version == 1 else ("memory.swap.max", "0")
        if controller == "memory":
            (group / swap).write_text(text)
    return Controller(group, at.version)


def _settings(controller: str, value: str, version: int) -> dict[str, str]:
    """Return the files to write, by name. Pure."""
    if controller == "memory":
        return {"memory.limit_in_bytes" if version == 1 else "memory.max": value}
    if controller == "cpuset":
        return {"cpuset.cpus": value}
    if version == 1:
        return {"cpu.cfs_period_us": str(PERIOD_US), "cpu.cfs_quota_us": value}
    return {"cpu.max": f"{value} {PERIOD_US}"}


def _sweep(parent: Path) -> None:
    """Remove empty groups whose maker was killed before it could."""
    for group in parent.glob(f"{PREFIX}*-*"):
        maker = group.name.removeprefix(PREFIX).split("-")[0]
        if maker.isdigit() and not psutil.pid_exists(int(maker)):
            _removed(group)


def _read_own() -> dict[str, Controller]:
    try:
        return find(Path("/proc/self/cgroup").read_text(), Path("/proc/self/mountinfo").read_text())
    except OSError:
        return {}
