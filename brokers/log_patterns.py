"""How the log of a broker is read: ready, failed and why, alarms. Pure: text in, facts out."""

import re
from collections.abc import Callable
from dataclasses import dataclass

_OVERLAP = 4096


def since(before: str, after: str) -> str:
    """Return what a log gained between two looks; each look may show only the end of the log."""
    if after.startswith(before):
        return after[len(before) :]
    known = before[-_OVERLAP:]
    place = after.rfind(known)
    return after[place + len(known) :] if place >= 0 else after


def _as_it_is(line: str) -> str:
    return line


@dataclass(frozen=True)
class LogPatterns:
    """How a product's log is read: that it is ready, that it failed, why, and what held publishers back.

    Attributes:
        ready: its start is complete, well or not.
        failed: with `ready`, that something asked for is missing; None = a start that fails ends it.
        reasons: lines that tell why a start failed.
        alarms: limits that it reached; group `what` is quoted.
        started: matched once for each start.
        tidy: takes from a line what people need not read, such as time stamps.
    """

    ready: re.Pattern[str]
    reasons: re.Pattern[str]
    failed: re.Pattern[str] | None = None
    alarms: tuple[re.Pattern[str], ...] = ()
    started: re.Pattern[str] | None = None
    tidy: Callable[[str], str] = _as_it_is

    def says_ready(self, log: str) -> bool:
        """Return whether the start is complete, well or not."""
        return self.ready.search(log) is not None

    def says_failed(self, log: str) -> bool:
        """Return whether the start is complete without all that was asked."""
        return self.failed is not None and self.says_ready(log) and self.failed.search(log) is not None

    def why(self, log: str) -> list[str]:
        """Return the lines of a log that tell what went wrong, each once."""
        lines = (self.tidy(line).strip() for line in log.splitlines())
        return list(dict.fromkeys(line for line in lines if self.reasons.search(line)))

    def alarms_in(self, log: str) -> tuple[str, ...]:
        """Return the broker's words on limits that it reached and held publishers back for; each once."""
        found = (pattern.search(line) for line in log.splitlines() for pattern in self.alarms)
        return tuple(dict.fromkeys(match["what"].strip() for match in found if match))

    def starts_in(self, log: str) -> int:
        """Return how often the broker started."""
        return 0 if self.started is None else len(self.started.findall(log))
