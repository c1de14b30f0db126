"""From the words of strace to the synchronous writes in them. Pure.

A synchronous write is an fsync or fdatasync that succeeded, or a write to a file that was
opened with O_DSYNC or O_SYNC (open(2)), or one with RWF_DSYNC or RWF_SYNC (pwritev2(2)).
Lines are those of `strace -f -ttt -y`: thread id, seconds since the epoch, call. Calls of
several threads may be torn into an `<unfinished ...>` and a `<... resumed>` line; a call
that was cut short by the end of the trace is not counted.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

O_DSYNC = 0o10000
"""Linux, all architectures but alpha, mips, parisc and sparc; O_SYNC contains it (open(2))."""

OPENS = ("open", "openat", "openat2", "creat")
WRITES = ("write", "pwrite64", "writev", "pwritev", "pwritev2")
CALLS = ("fsync", "fdatasync", *WRITES, *OPENS)
"""The system calls that must be traced."""

_LINE = re.compile(r"^(?:\[pid\s+)?(?P<thread>\d+)\]?\s+(?P<at>\d+\.\d+)\s+(?P<said>.*)$")
_RESUMED = re.compile(r"^<\.\.\. (?P<call>\w+) resumed>\s?(?P<rest>.*)$")
_CALL = re.compile(r"^(?P<call>\w+)\((?P<given>.*)\)\s+=\s+(?P<result>-?\d+)(?P<path><.*>)?")
_FILE = re.compile(r"^(?P<number>\d+)(?P<path><(?:[^>\\]|\\.)*>)?")
_SYNCHRONOUS = re.compile(r"\bO_D?SYNC\b")
_SYNCHRONOUS_WRITE = re.compile(r"\bRWF_D?SYNC\b")
_UNFINISHED = " <unfinished ...>"


@dataclass(frozen=True)
class Syncs:
    """How many synchronous writes of each kind there were."""

    fsyncs: int
    fdatasyncs: int
    synchronous_writes: int


@dataclass(frozen=True)
class _Call:
    at_s: float
    name: str
    given: str
    result: int
    path: str


def file_key(number: int, path: str) -> str:
    """Return how strace -y writes an open file: `12</data/log>`."""
    return f"{number}<{path}>"


def is_synchronous(flags: int) -> bool:
    """Return whether open flags, as /proc/PID/fdinfo has them, make each write synchronous."""
    return bool(flags & O_DSYNC)


def count_syncs(lines: Iterable[str], open_files: Iterable[str], from_s: float, to_s: float) -> Syncs:
    """Count the synchronous writes that began in a span of time.

    Args:
        lines: of strace.
        open_files: files that were open for synchronous writing when the trace began, as `file_key` names them.
        from_s: start of the span, seconds since the epoch.
        to_s: its end.
    """
    synchronous = set(open_files)
    counts = dict.fromkeys(("fsync", "fdatasync", "write"), 0)
    for call in _calls(lines):
        if call.result < 0:
            continue
        if call.name in OPENS:
            key = f"{call.result}{call.path}"
            (synchronous.add if _SYNCHRONOUS.search(call.given) else synchronous.discard)(key)
        elif from_s <= call.at_s <= to_s:
            if call.name in counts and call.name != "write":
                counts[call.name] += 1
            elif call.name in WRITES and _writes_through(call, synchronous):
                counts["write"] += 1
    return Syncs(counts["fsync"], counts["fdatasync"], counts["write"])


def _writes_through(call: _Call, synchronous: set[str]) -> bool:
    file = _FILE.match(call.given)
    return (file is not None and file[0] in synchronous) or bool(_SYNCHRONOUS_WRITE.search(call.given))


def _calls(lines: Iterable[str]) -> Iterator[_Call]:
    """Yield every call that came to an end, at the time it began."""
    torn: dict[tuple[str, str], tuple[float, str]] = {}
    for line in lines:
        found = _LINE.match(line)
        if found is None:
            continue
        thread, at_s, said = found["thread"], float(found["at"]), found["said"]
        if said.endswith(_UNFINISHED):
            begun = said.removesuffix(_UNFINISHED)
            torn[thread, begun.partition("(")[0]] = (at_s, begun)
            continue
        resumed = _RESUMED.match(said)
        if resumed is not None:
            at_s, begun = torn.pop((thread, resumed["call"]), (at_s, ""))
            said = begun + resumed["rest"]
        call = _CALL.match(said)
        if call is not None:
            yield _Call(at_s, call["call"], call["given"], int(call["result"]), call["path"] or "")
