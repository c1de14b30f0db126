"""How long a CPU quota around us held processes back: that of a container, a pod, a session.

Every control group from our own upwards counts, as far as we see them; the quota that a
broker's own group has for its `cpus` does not: to reach that is the broker's doing.
Rules: https://docs.kernel.org/admin-guide/cgroup-v2.html and .../scheduler/sched-bwc.html.
"""

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

from brokers.places.limits import find

_READ_BYTES = 4096
_FILE = "cpu.stat"


class Throttling:
    """The open accounts of some control groups."""

    def __init__(self, folders: Iterable[Path]) -> None:
        """Open the account of each that has one."""
        self._files: list[int] = []
        for folder in folders:
            with contextlib.suppress(OSError):
                self._files.append(os.open(folder / _FILE, os.O_RDONLY))

    @classmethod
    def around(cls, pid: int) -> "Throttling":
        """Return the accounts of the groups that a process is in."""
        try:
            texts = [Path(f"/proc/{pid}/{name}").read_text(encoding="utf-8") for name in ("cgroup", "mountinfo")]
        except OSError:
            return cls(())
        found = find(texts[0], texts[1])
        folders = (found[name].folder for name in ("cpu", "unified") if name in found)
        return cls(dict.fromkeys(one for folder in folders for one in (folder, *folder.parents)))

    def read_s(self) -> float | None:
        """Return the seconds of the group that was held back longest; None where none has a quota to tell of."""
        seconds = []
        for file in self._files:
            with contextlib.suppress(OSError):
                throttled = throttled_s(os.pread(file, _READ_BYTES, 0))
                seconds += [throttled] if throttled is not None else []
        return max(seconds, default=None)

    def close(self) -> None:
        """Close all."""
        while self._files:
            os.close(self._files.pop())


def throttled_s(text: bytes) -> float | None:
    """Return the seconds that a `cpu.stat` tells of: `throttled_usec` (v2) or `throttled_time` in ns (v1). Pure."""
    values = dict(line.split() for line in text.splitlines())
    if b"throttled_usec" in values:
        return int(values[b"throttled_usec"]) / 1e6
    return int(values[b"throttled_time"]) / 1e9 if b"throttled_time" in values else None
