"""What is known of a running ActiveMQ Classic: how its log is read, what it reports, what a report must say. Pure."""

import re
from collections.abc import Mapping
from typing import Any

from brokers.activemq_classic.config import PAGE, heap, messages
from brokers.activemq_classic.settings import ActiveMQClassicSettings
from brokers.log_patterns import LogPatterns

_STAMP = re.compile(r"^\d{4}-\d\d-\d\d [\d:,]+ +")

LOG = LogPatterns(
    ready=re.compile(r"Apache ActiveMQ \S+ \(.*\) started$", re.MULTILINE),
    failed=re.compile(r"Failed to start Apache ActiveMQ|Could not start|BrokerService\[\w+\] .*shutting down.*error"),
    reasons=re.compile(
        r"Failed to|Could not|Fatal Error|\bERROR\b|OutOfMemoryError|^(?:Caused by: )?[\w.$]+(?:Exception|Error): |"
        r"^Error|^Unrecognized|too small"
    ),
    alarms=(
        re.compile(r"\b(?P<what>Usage Manager [Mm]emory [Ll]imit \(\d+\) reached (?:on|for topic) \S+?)(?=,|\.? )"),
        re.compile(r"\b(?P<what>(?:Persistent store|Temp Store) is Full)\b"),
    ),
    started=re.compile(r"\bApache ActiveMQ \S+ \(.*\) is starting$", re.MULTILINE),
    # Of a chain of reasons, told anew in each line, the last one says what is wrong.
    tidy=lambda line: _STAMP.sub("", line).rpartition("nested exception is ")[2],
)

CAVEATS = (
    (
        f"Consumers that hold more than {PAGE:,} unsettled messages of a queue: ActiveMQ Classic hands out no more at a"
        " time (maxPageSize)."
    ),
    (
        "What a backlog of transient messages costs in memory alone: with kahadb ActiveMQ Classic moves them to files"
        " of its own once messages fill seven tenths of their memory (cursorMemoryHighWaterMark)."
    ),
    "What dead letters cost: ActiveMQ Classic was told to discard expired and rejected messages (deadLetterStrategy).",
)
"""What its figures do not show."""


def asked(settings: ActiveMQClassicSettings) -> dict[str, str]:
    """Return the settings as asked, by the names under which `reported` has them."""
    found = {
        "store": settings.store,
        "heap": f"{heap(settings) * 1024**2} bytes",
        "messages": f"{messages(settings) * 1024**2} bytes",
        "cores": str(settings.cpu_count),
    }
    return found | ({"disk sync": settings.disk_sync} if settings.store == "kahadb" else {})


ATTRIBUTES = ("BrokerVersion", "MemoryLimit", "StoreLimit", "TempLimit", "Persistent")
"""Of the broker's bean, as `reported` wants them."""
RUNTIME = ("SystemProperties",)
"""Of Java's bean `Runtime`, as `runtime` wants them."""


def reported(
    broker: Mapping[str, Any], memory: Mapping[str, Any], system: Mapping[str, Any], log: str
) -> dict[str, str]:
    """Return the settings that it reports.

    Args:
        broker: ATTRIBUTES.
        memory: `HeapMemoryUsage` of Java's bean `Memory`.
        system: `AvailableProcessors` of Java's bean `OperatingSystem`.
        log: since its start, which alone tells of the store.
    """
    kahadb = "KahaDBPersistenceAdapter" in log
    return {
        "store": ("kahadb" if kahadb else "unknown") if broker.get("Persistent") else "memory",
        "heap": f"{memory.get('HeapMemoryUsage', {}).get('max')} bytes",
        "messages": f"{broker.get('MemoryLimit')} bytes",
        "cores": str(system.get("AvailableProcessors")),
        "store limit": f"{broker.get('StoreLimit')} bytes",
        "temporary limit": f"{broker.get('TempLimit')} bytes",
    }


def runtime(java: Mapping[str, Any]) -> str:
    """Return the Java runtime with its collector: `Java 21.0.5+11-Debian, G1`."""
    return f"Java {java.get('SystemProperties', {}).get('java.runtime.version', 'unknown')}, G1"
