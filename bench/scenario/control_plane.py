"""The flows of an OpenStack control plane, `pattern = "openstack-rpc"`, and connections that rest. Pure.

Lengths of messages are those that oslo.messaging's own simulator uses: `tools/messages_length.yaml`
in https://opendev.org/openstack/oslo.messaging, logged while Rally booted and deleted servers.
Of that log one server's life is taken, 76 messages of 3299 bytes on average, each as often as it
occurs there. How calls, casts, fan-out and notifications share the load is ours, as the log does
not tell them apart.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

LENGTHS = Counter(
    (
        6386,
        6368,
        11292,
        2136,
        5407,
        2116,
        2116,
        5398,
        4582,
        5431,
        4484,
        2627,
        2094,
        2038,
        5438,
        2310,
        2496,
        2240,
        5451,
        2099,
        2626,
        1555,
        1702,
        2450,
        1570,
        4539,
        1641,
        3518,
        2226,
        2643,
        3382,
        5500,
        2531,
        2124,
        5687,
        1177,
        965,
        1575,
        1575,
        2549,
        6574,
        7688,
        2183,
        7270,
        2128,
        1500,
        6535,
        6480,
        2643,
        2584,
        2644,
        2611,
        2611,
        2241,
        1500,
        1555,
        1702,
        2450,
        1570,
        3308,
        2043,
        3518,
        2582,
        2398,
        2226,
        2093,
        3420,
        6576,
        2142,
        4582,
        6536,
        2298,
        2608,
        1855,
        1880,
        2175,
    )
)
"""Bytes of a message, and how often it has so many in a server's life."""
SHARES = {"call": 0.5, "cast": 0.3, "fanout": 0.05, "notify": 0.15}
"""Of the workload's rate, by flow."""
IDLE = "idle"
"""The flow of connections that rest."""
_IDLE_QUEUES = 1_000
_IDLE_RATE = 10
_PRIORITIES = ("audit", "error", "info")
"""Of notifications, each with a topic and a queue of its own."""


def control_plane(given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the flows that a workload of that pattern stands for.

    Producers call, cast and notify; consumers answer, are cast to, and each hear what is
    fanned out. Sizes are those of the log, whatever the workload says.

    Raises:
        ValueError: its load is no rate.
    """
    load, consumers = given.get("load"), given.get("consumers", 1)
    rate = load.get("rate") if isinstance(load, Mapping) else None
    if not isinstance(rate, int | float) or not isinstance(consumers, int) or consumers < 1:
        message = "pattern = 'openstack-rpc': needs a load of kind 'rate' with one rate, and a number of consumers"
        raise ValueError(message)
    common = {"pattern": "queue", "size": [{"size": size, "weight": often} for size, often in LENGTHS.items()]}
    loads = {flow: {"load": {**load, "rate": rate * share}} for flow, share in SHARES.items()}  # type: ignore[dict-item]
    alone = {"producers": 1, "workers": 1}
    return [
        {"name": "call", **common, **loads["call"], "pattern": "rpc"},
        {"name": "cast", **common, **loads["cast"]},
        {"name": "fanout", **common, **loads["fanout"], **alone, "pattern": "fanout", "queues": consumers},
        {
            "name": "notify",
            **common,
            **loads["notify"],
            "workers": 1,
            "pattern": "topic",
            "keys": [f"notifications.{priority}" for priority in _PRIORITIES],
            "queues": len(_PRIORITIES),
            "consumers": len(_PRIORITIES),
        },
    ]


def resting(connections: int) -> dict[str, Any]:
    """Return the background flow that keeps connections open: each hears of something now and then."""
    queues = min(connections, _IDLE_QUEUES)
    return {
        "name": IDLE,
        "background": True,
        "pattern": "topic",
        "load": {"kind": "rate", "rate": _IDLE_RATE},
        "size": 100,
        "durable": False,
        "exchange": "",
        "producers": 1,
        "consumers": connections,
        "consume": "",
        "exclusive_consumer": False,
        "consumer_arguments": {},
        "lanes_per_connection": 1,
        "queues": queues,
        "keys": {"key": "idle.{n}", "count": queues},
        "workers": 1,
        "think": "0s",
        "reject": 0.0,
        "requeue": 0.0,
    }
