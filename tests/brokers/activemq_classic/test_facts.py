"""What the log of ActiveMQ Classic says, in lines that it has printed (some shortened), and what it reports."""

import pytest

from brokers.activemq_classic import facts
from brokers.activemq_classic.settings import ActiveMQClassicSettings

STARTED = """\
Loading message broker from: xbean:file:/run/bench/etc/activemq.xml
2026-12-01 13:01:07,734 INFO  Using Persistence Adapter: KahaDBPersistenceAdapter[/run/bench/data/kahadb]
2026-12-01 13:01:08,067 INFO  Apache ActiveMQ 5.17.6 (bench, ID:vm-46461-1796130067942-0:1) is starting
2026-12-01 13:01:08,090 INFO  Connector amqp started
2026-12-01 13:01:08,090 INFO  Apache ActiveMQ 5.17.6 (bench, ID:vm-46461-1796130067942-0:1) started
2026-12-01 13:01:08,097 WARN  Store limit is 1024000 mb (current store usage is 0 mb). The data directory: \
/run/bench/data/kahadb only has 77426 mb of usable space. - resetting to maximum available disk space: 77426 mb
"""
MIB = 1024**2


def test_a_start_is_ready_and_counted_once() -> None:
    """Without alarms and without reasons; that the disk is smaller than the limit is neither."""
    assert facts.LOG.says_ready(STARTED)
    assert not facts.LOG.says_failed(STARTED)
    assert not facts.LOG.says_ready(STARTED.replace(") started", ") is shutdown"))
    assert (facts.LOG.starts_in(STARTED), facts.LOG.starts_in(STARTED * 2)) == (1, 2)
    assert facts.LOG.why(STARTED) == []
    assert facts.LOG.alarms_in(STARTED) == ()


@pytest.mark.parametrize("store", ["kahadb", "memory"])
def test_what_was_asked_is_what_is_reported(store: str) -> None:
    """Under the same names, where all is as it was asked for; when the journal is synchronised it does not tell."""
    settings = ActiveMQClassicSettings.model_validate({"name": "a", "kind": "activemq-classic", "store": store})
    broker = {"Persistent": store == "kahadb", "MemoryLimit": 256 * MIB, "StoreLimit": 5, "TempLimit": 6}
    found = facts.reported(broker, {"HeapMemoryUsage": {"max": 512 * MIB}}, {"AvailableProcessors": 2}, STARTED)
    asked = facts.asked(settings)
    assert asked.pop("disk sync", None) == ("always" if store == "kahadb" else None)
    assert {name: found[name] for name in asked} == asked
    assert (found["store limit"], found["temporary limit"]) == ("5 bytes", "6 bytes")


LIMITED = """\
2026-12-01 13:13:09,458 WARN  Usage Manager Memory Limit (268435456) reached on queue://q, size 251345. Producers
2026-12-01 13:13:40,458 WARN  Usage Manager Memory Limit (268435456) reached on queue://q, size 251346. Producers
2026-12-01 13:14:09,458 WARN  Persistent store is Full, 100% of 1048576. Stopping producer (x)
"""


def test_alarms_are_told_once_for_each_queue() -> None:
    """Whatever the number of its messages is."""
    assert facts.LOG.alarms_in(LIMITED) == (
        "Usage Manager Memory Limit (268435456) reached on queue://q",
        "Persistent store is Full",
    )


PORT_IN_USE = """\
2026-12-01 13:09:00,001 ERROR Failed to start Apache ActiveMQ (bench, null)
java.io.IOException: Transport Connector could not be registered in JMX: Failed to bind to server socket \
due to: java.net.BindException: Address already in use
\tat org.apache.activemq.util.IOExceptionSupport.create(IOExceptionSupport.java:40)
ERROR: java.lang.RuntimeException: Failed to start. Reason: a; nested exception is java.net.BindException: b
"""


def test_reasons_are_lines_without_time_and_stack() -> None:
    """Of a chain of reasons in one line the last one is told."""
    reasons = facts.LOG.why(PORT_IN_USE)
    assert reasons[0] == "ERROR Failed to start Apache ActiveMQ (bench, null)"
    assert reasons[1].endswith("Address already in use")
    assert reasons[2] == "java.net.BindException: b"
    assert len(reasons) == 3


def test_another_store_than_kahadb_is_unknown() -> None:
    """The log alone tells which it is."""
    assert facts.reported({"Persistent": True}, {}, {}, "")["store"] == "unknown"


def test_the_runtime_is_a_property_of_java() -> None:
    """With its collector."""
    told = {"SystemProperties": {"java.runtime.version": "21.0.13+1-Debian"}}
    assert facts.runtime(told) == "Java 21.0.13+1-Debian, G1"
    assert facts.runtime({}) == "Java unknown, G1"
