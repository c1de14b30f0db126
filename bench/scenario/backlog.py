"""The flows of a backlog and of new work beside it, `pattern = "backlog"`. Pure."""

from collections.abc import Mapping
from typing import Any


def backlog(given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the flows that a workload of that pattern stands for.

    `backlog` is filled and drained. `new-work` passes all the while through a queue of its own, at a
    rate that is small beside it: its latency tells what a backlog does to those who have none.

    Raises:
        ValueError: it says not how many messages the backlog has.
    """
    if not given.get("messages"):
        message = "pattern = 'backlog': needs `messages`, the number to which the backlog is filled"
        raise ValueError(message)
    rate = given.get("new_work", 100.0)
    return [
        {"name": "backlog", "pattern": "queue", "phases": "enqueue-dequeue"},
        {
            "name": "new-work",
            "pattern": "queue",
            "messages": 0,
            "phases": "both",
            "load": {"kind": "rate", "rate": rate},
            "producers": 1,
            "consumers": 1,
            "queues": 1,
            "workers": 1,
        },
    ]
