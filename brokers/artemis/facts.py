"""What is known of a running Artemis: how its log is read, what it reports, what a report must say. Pure.

Its management tells nothing of Java, heap and processors; its log does, because of options of the command line.
"""

import re
from collections.abc import Mapping
from typing import Any

from brokers.artemis.config import STORES, heap, messages
from brokers.artemis.settings import ArtemisSettings
from brokers.log_patterns import LogPatterns

_STAMP = re.compile(r"^\d{4}-\d\d-\d\d [\d:,]+ +")
_JAVA = re.compile(r"^.*Runtime Environment.*\(build (?P<version>[^)]+)\)", re.MULTILINE)
_HEAP = re.compile(r"\[gc,init\] Heap Max Capacity: (?P<size>\d+)(?P<unit>[MG])")
_UNITS = {"M": 1024**2, "G": 1024**3}
"""As Java writes what is a whole number of them."""
_CPUS = re.compile(r"\[gc,init\] CPUs: \d+ total, (?P<cpus>\d+) available")
_JOURNAL = re.compile(r"AMQ22101[234]: Using (?P<journal>\w+)")

LOG = LogPatterns(
    ready=re.compile("AMQ221007"),  # Server is now active
    # It looked for libaio and goes on without.
    failed=re.compile("AMQ222018"),
    reasons=re.compile(
        r"AMQ222018|AMQ222141|AMQ22410[04]|AMQ22400\d|AMQ224097|AMQ229230|Fatal Error|\bERROR\b|OutOfMemoryError|"
        r"^(?:Caused by: )?[\w.$]+(?:Exception|Error): |^Error|^Unrecognized|Could not create the Java|too small"
    ),
    alarms=(
        re.compile(r"\b(?P<what>AMQ222183: Blocking message production on address\b.*?)(?:; size=|$)"),
        re.compile(r"\b(?P<what>AMQ222210: Free storage space is at\b.*)"),
        re.compile(r"\b(?P<what>AMQ222212: Disk Full! Blocking message production\b.*)"),
        re.compile(r"\b(?P<what>AMQ222038: Starting paging on address\b.*?)(?:; size=|$)"),
    ),
    started=re.compile(r"\bAMQ101000: Starting ActiveMQ Artemis Server\b"),
    tidy=lambda line: _STAMP.sub("", line),
)

CAVEATS = (
    (
        "What larger messages cost: above 100 KiB Artemis writes each to a file of its own, durable or not, while its"
        " journal is on disk (amqpMinLargeMessageSize)."
    ),
    (
        "How soon one durable message alone can be confirmed: Artemis holds it for up to journal-buffer-timeout"
        " (3.3 ms unless set), to share one fdatasync with others."
    ),
)
"""What its figures do not show."""


def asked(settings: ArtemisSettings) -> dict[str, str]:
    """Return the settings as asked, by the names under which `reported` has them."""
    found = {
        "journal": STORES[settings.store],
        "heap": f"{heap(settings) * 1024**2} bytes",
        "messages": f"{messages(settings) * 1024**2} bytes",
        "cores": str(settings.cpu_count),
    }
    if settings.buffer_timeout_us is not None and settings.store != "memory":
        found["journal buffer timeout"] = f"{settings.buffer_timeout_us * 1_000} ns"
    return found


ATTRIBUTES = (
    "Version",
    "PersistenceEnabled",
    "GlobalMaxSize",
    "JournalBufferTimeout",
    "JournalBufferSize",
    "JournalSyncNonTransactional",
    "ThreadPoolMaxSize",
)
"""Of the resource `broker`, as `reported` wants them."""


def reported(broker: Mapping[str, Any], log: str) -> dict[str, str]:
    """Return the settings that it reports.

    Args:
        broker: its ATTRIBUTES. `JournalType` is not among them: it is what was asked for.
        log: since its start, which alone tells of journal, heap and processors.
    """
    journal = _JOURNAL.search(log)
    kind = journal["journal"] if journal else "unknown"
    found, cpus = _HEAP.search(log), _CPUS.search(log)
    return {
        "journal": kind if broker.get("PersistenceEnabled") else "none",
        "heap": f"{int(found['size']) * _UNITS[found['unit']]} bytes" if found else "unknown",
        "messages": f"{broker.get('GlobalMaxSize')} bytes",
        "cores": cpus["cpus"] if cpus else "unknown",
        "journal buffer timeout": f"{broker.get('JournalBufferTimeout')} ns",
        "journal buffer": f"{broker.get('JournalBufferSize')} bytes",
        "sync before confirm": str(broker.get("JournalSyncNonTransactional")),
        "threads": str(broker.get("ThreadPoolMaxSize")),
    }


def runtime(log: str) -> str:
    """Return the Java runtime with its collector, from the log: `Java 17.0.15+6-Debian-1deb12u1, G1`."""
    found = _JAVA.search(log)
    return f"Java {found['version'] if found else 'unknown'}, G1"
