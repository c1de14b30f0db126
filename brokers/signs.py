"""What the log of a broker tells of a trial: that it raised an alarm, that it started anew. Pure: text in, facts out.

Words of RabbitMQ 4.0 (rabbit_alarm, rabbit_prelaunch) and Broker-J 10.1 (its *_logmessages.properties).
"""

import re

_ALARMS = (
    re.compile(r"\b(?P<what>[\w-]+ resource limit alarm set on node\b.*)"),
    re.compile(r"\b(?P<what>file descriptor limit alarm set\b.*)"),
    re.compile(r"\b(?P<what>VHT-1006 : Filesystem is over\b.*)"),
    re.compile(r"\b(?P<what>QUE-1003 : Overfull\b.*)"),
)
_STARTS = re.compile(r"^\d{4}-.*(?:\bStarting RabbitMQ \d|\bBRK-1001 : Startup\b)", re.MULTILINE)
"""Broker-J prints its start without a time as well, which would count it twice."""
_OVERLAP = 4096


def since(before: str, after: str) -> str:
    """Return what a log gained between two looks, each of which may show its end alone."""
    if after.startswith(before):
        return after[len(before) :]
    known = before[-_OVERLAP:]
    place = after.rfind(known)
    return after[place + len(known) :] if place >= 0 else after


def alarms(log: str) -> tuple[str, ...]:
    """Return the broker's words on limits that it reached and held publishers back for; each once."""
    found = (pattern.search(line) for line in log.splitlines() for pattern in _ALARMS)
    return tuple(dict.fromkeys(match["what"].strip() for match in found if match))


def starts(log: str) -> int:
    """Return how often a broker started."""
    return len(_STARTS.findall(log))
