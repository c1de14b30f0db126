"""What processes use, by what /proc tells of them, cheaply enough for many times a second (proc(5)).

A place samples what it started; the conductor its own workers.
"""

import contextlib
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_READ_BYTES = 4096
# Fields of /proc/PID/stat after the name, which may hold spaces and brackets; the first is the state.
_PARENT, _THREADS, _RSS = 1, 17, 21
_CPU_FIELDS = slice(11, 15)  # utime, stime, cutime, cstime


@dataclass(frozen=True)
class ProcessUsage:
    """What processes have used so far.

    Attributes:
        cpu_s: CPU seconds, of children that ended and were waited for as well.
        rss: bytes resident.
        threads: threads.
        disk_read, disk_written: bytes from and to block devices, of ended children as well;
            None where we may not know.
    """

    cpu_s: float
    rss: int
    threads: int
    disk_read: int | None
    disk_written: int | None


class ProcessFiles:
    """The open files of one process: reading again costs a few microseconds, and cannot meet a successor of its id."""

    def __init__(self, pid: int) -> None:
        """Open them.

        Raises:
            OSError: there is no such process.
        """
        self._stat = os.open(f"/proc/{pid}/stat", os.O_RDONLY)
        self._io: int | None = None
        with contextlib.suppress(OSError):
            self._io = os.open(f"/proc/{pid}/io", os.O_RDONLY)

    def read(self) -> ProcessUsage:
        """Return what it has used so far.

        Raises:
            OSError: it ended.
        """
        cpu_s, rss, threads = parse_stat(os.pread(self._stat, _READ_BYTES, 0))
        disk: tuple[int | None, int | None] = (None, None)
        if self._io is not None:
            try:
                disk = parse_io(os.pread(self._io, _READ_BYTES, 0))
            except PermissionError:
                self.forget_io()
        return ProcessUsage(cpu_s, rss, threads, *disk)

    def forget_io(self) -> None:
        """Close the file that we may not read."""
        if self._io is not None:
            os.close(self._io)
            self._io = None

    def close(self) -> None:
        """Close all."""
        os.close(self._stat)
        self.forget_io()


def parse_stat(text: bytes) -> tuple[float, int, int]:
    """Return CPU seconds, bytes resident and threads out of /proc/PID/stat. Pure."""
    fields = _after_name(text)
    cpu_s = sum(int(field) for field in fields[_CPU_FIELDS]) / TICKS_PER_S
    return cpu_s, int(fields[_RSS]) * PAGE_BYTES, int(fields[_THREADS])


def _after_name(text: bytes) -> list[bytes]:
    return text[text.rindex(b")") + 2 :].split()


def parse_io(text: bytes) -> tuple[int, int]:
    """Return bytes read from and written to block devices out of /proc/PID/io. Pure."""
    values = dict(line.split(b": ") for line in text.splitlines())
    return int(values[b"read_bytes"]), int(values[b"write_bytes"])


def parse_switches(text: bytes) -> tuple[int, int]:
    """Return voluntary and involuntary context switches out of the status of a thread. Pure."""
    # They are the last two lines.
    *_, voluntary, involuntary = text.rstrip().rsplit(b"\n", 2)
    return int(voluntary.split()[1]), int(involuntary.split()[1])


def descendants(pids: Iterable[int]) -> tuple[int, ...]:
    """Return the processes that these started, and those that they did; one look at every process of the host."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):  # noqa: PTH208  (some hundred names, each second)
        if name.isdigit():
            with contextlib.suppress(OSError):
                parent = int(_after_name(Path(f"/proc/{name}/stat").read_bytes())[_PARENT])
                children.setdefault(parent, []).append(int(name))
    found, left = [], list(pids)
    while left:
        below = children.pop(left.pop(), [])
        found += below
        left += below
    return tuple(found)


class Switches:
    """Context switches of the threads of some processes, which the kernel counts by the thread."""

    def __init__(self) -> None:
        """Begin with none."""
        self._threads: dict[str, tuple[int, int]] = {}

    def read(self, pids: Iterable[int]) -> tuple[int, int]:
        """Return voluntary and involuntary ones so far; a thread that ended keeps the counts last read."""
        for pid in pids:
            try:
                names = os.listdir(f"/proc/{pid}/task")  # noqa: PTH208  (some hundred names, each second)
            except OSError:
                continue
            for name in names:
                path = f"/proc/{pid}/task/{name}/status"
                with contextlib.suppress(OSError, ValueError):
                    self._threads[path] = parse_switches(Path(path).read_bytes())
        voluntary, involuntary = zip(*self._threads.values(), strict=True) if self._threads else ((), ())
        return sum(voluntary), sum(involuntary)


class Tree:
    """Processes that are sampled together.

    Attributes:
        cpu_s: CPU seconds of each process that was last read.
    """

    def __init__(self) -> None:
        """Begin with nothing read."""
        self._files: dict[int, ProcessFiles] = {}
        self.cpu_s: dict[int, float] = {}

    def read(self, pids: Iterable[int]) -> ProcessUsage:
        """Return the sums over these processes; what an ended process used is in the sums of its parent."""
        found = {}
        for pid in dict.fromkeys(pids):
            try:
                files = self._files.get(pid)
                if files is None:
                    files = self._files[pid] = ProcessFiles(pid)
                found[pid] = files.read()
            except OSError:
                continue  # it ended; its parent's account has what it used
        for pid in [pid for pid in self._files if pid not in found]:
            self._files.pop(pid).close()
        self.cpu_s = {pid: one.cpu_s for pid, one in found.items()}
        parts = found.values()
        return ProcessUsage(
            sum(self.cpu_s.values()),
            sum(one.rss for one in parts),
            sum(one.threads for one in parts),
            _sum([one.disk_read for one in parts]),
            _sum([one.disk_written for one in parts]),
        )

    def close(self) -> None:
        """Close what is kept open to be read again."""
        while self._files:
            self._files.popitem()[1].close()


def _sum(parts: list[int | None]) -> int | None:
    """Return the sum; None where a part is unknown."""
    known = [part for part in parts if part is not None]
    return None if len(known) < len(parts) else sum(known)


class NeverLess:
    """Readings of a trial: an orphan's use may vanish from the sums, never what was already counted."""

    def __init__(self) -> None:
        """Begin with nothing read."""
        self._most = ProcessUsage(0.0, 0, 0, 0, 0)

    def hold(self, read: ProcessUsage) -> ProcessUsage:
        """Return a reading whose totals are no less than those before; a total that was unknown once stays so."""
        most = self._most
        self._most = ProcessUsage(
            max(most.cpu_s, read.cpu_s),
            read.rss,
            read.threads,
            _more(most.disk_read, read.disk_read),
            _more(most.disk_written, read.disk_written),
        )
        return self._most


def _more(before: int | None, now: int | None) -> int | None:
    return None if before is None or now is None else max(before, now)


class Sampled:
    """What a changing set of processes has used, for a place that knows their ids."""

    def __init__(self, pids: Callable[[], tuple[int, ...]]) -> None:
        """Take who tells the ids."""
        self._pids = pids
        self._tree, self._switches = Tree(), Switches()

    def usage(self) -> ProcessUsage | None:
        """Return what they have used; None where there are none to be seen."""
        pids = self._pids()
        return self._tree.read(pids) if pids else None

    def switches(self) -> tuple[int, int] | None:
        """Return their voluntary and involuntary context switches; None where there are none to be seen."""
        pids = self._pids()
        return self._switches.read(pids) if pids else None

    def close(self) -> None:
        """Close what is kept open to be read again."""
        self._tree.close()


def allocated_bytes(folder: Path) -> int:
    """Return the bytes that files below a folder take on their disk; 0 where there is none.

    Allocated blocks, as du(1) counts them: a preallocated journal counts whole, a sparse file as far as it is written.
    """
    total = 0
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                # Files come and go while a broker works.
                with contextlib.suppress(OSError):
                    if entry.is_dir(follow_symlinks=False):
                        total += allocated_bytes(Path(entry.path))
                    else:
                        total += entry.stat(follow_symlinks=False).st_blocks * 512
    except OSError:
        pass
    return total
