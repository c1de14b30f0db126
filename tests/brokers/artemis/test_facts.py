"""What Artemis's log says, in lines that it has printed (some shortened), and what it reports."""

import pytest

from brokers.artemis import config, facts
from brokers.artemis.settings import ArtemisSettings

STARTED = """\
[0.015s][info][gc,init] CPUs: 2 total, 2 available
[0.016s][info][gc,init] Heap Max Capacity: 512M
openjdk 17.0.15 2025-04-15
OpenJDK Runtime Environment (build 17.0.15+6-Debian-1deb12u1)
OpenJDK 64-Bit Server VM (build 17.0.15+6-Debian-1deb12u1, mixed mode, sharing)
2026-11-28 12:41:54,016 INFO  AMQ101000: Starting ActiveMQ Artemis Server version 2.44.0
2026-11-28 12:41:54,355 INFO  AMQ221013: Using NIO Journal
2026-11-28 12:41:56,429 INFO  AMQ221020: Started EPOLL Acceptor at 127.0.0.1:24680 for protocols [AMQP]
2026-11-28 12:41:56,435 INFO  AMQ221007: Server is now active
"""
NO_AIO = (
    "2026-11-28 12:37:55,731 WARN  AMQ222018: AIO was not located on this platform, it will fall back to using pure"
    " Java NIO. If your platform is Linux, install LibAIO to enable the AIO journal\n"
)
PORT_IN_USE = """\
2026-11-28 12:48:02,356 ERROR AMQ224104: Error starting the Acceptor amqp {scheme=tcp, port=24680, host=127.0.0.1}
2026-11-28 12:48:02,357 ERROR AMQ224000: Failure in initialisation
java.lang.IllegalStateException: AMQ229230: Failed to bind acceptor amqp to 127.0.0.1:24680
\tat org.apache.activemq.artemis.core.remoting.impl.netty.NettyAcceptor.start(NettyAcceptor.java:540)
Caused by: io.netty.channel.unix.Errors$NativeIoException: bind(..) failed with error(-98): Address already in use
"""
BLOCKED = """\
2026-11-28 12:49:06,399 WARN  AMQ222183: Blocking message production on address 'q'; size=21616320 bytes (2024 messages)
2026-11-28 12:49:13,097 WARN  AMQ222183: Blocking message production on address 'q'; size=21152340 bytes (1980 messages)
2026-11-28 12:50:22,641 WARN  AMQ222210: Free storage space is at 81.8GB of 270.6GB total.
2026-11-28 12:50:25,069 WARN  AMQ222212: Disk Full! Blocking message production on address 'q'.
"""


def test_a_start_is_ready_and_counted_once() -> None:
    """Without alarms and without reasons."""
    assert facts.LOG.says_ready(STARTED)
    assert not facts.LOG.says_failed(STARTED)
    assert facts.LOG.starts_in(STARTED) == 1
    assert facts.LOG.starts_in(STARTED * 2) == 2
    assert facts.LOG.why(STARTED) == []
    assert facts.LOG.alarms_in(STARTED) == ()


def test_a_journal_without_libaio_is_a_failure() -> None:
    """Artemis itself goes on, with another journal than it looked for."""
    assert facts.LOG.says_failed(NO_AIO + STARTED)
    [reason] = facts.LOG.why(NO_AIO + STARTED)
    assert reason.startswith("WARN  AMQ222018: AIO was not located")


def test_reasons_are_lines_without_time_and_stack() -> None:
    """The innermost cause is among them."""
    reasons = facts.LOG.why(PORT_IN_USE)
    assert reasons[1:3] == [
        "ERROR AMQ224000: Failure in initialisation",
        "java.lang.IllegalStateException: AMQ229230: Failed to bind acceptor amqp to 127.0.0.1:24680",
    ]
    assert reasons[-1].endswith("Address already in use")
    assert not any(reason.startswith("at ") for reason in reasons)


@pytest.mark.parametrize(
    "line",
    [
        '[Fatal Error] :44:4: The element type "core" must be terminated by the matching end-tag "</core>".',
        "2026-11-28 12:48:20,187 ERROR AMQ224097: Failed to start server",
        "Terminating due to java.lang.OutOfMemoryError: Java heap space",
        "Error: Could not find or load main class org.apache.activemq.artemis.boot.Artemis",
    ],
)
def test_each_way_to_fail_has_its_reason(line: str) -> None:
    """A file, a folder, memory, an installation."""
    assert len(facts.LOG.why(f"{line}\n")) == 1


def test_alarms_are_told_once_for_each_address() -> None:
    """Whatever the sizes are."""
    assert facts.LOG.alarms_in(BLOCKED) == (
        "AMQ222183: Blocking message production on address 'q'",
        "AMQ222210: Free storage space is at 81.8GB of 270.6GB total.",
        "AMQ222212: Disk Full! Blocking message production on address 'q'.",
    )


def test_what_was_asked_is_what_is_reported() -> None:
    """Under the same names, where all is as it was asked for."""
    settings = ArtemisSettings(name="a", kind="artemis", buffer_timeout_us=500)
    broker = {"PersistenceEnabled": True, "GlobalMaxSize": 256 * 1024**2, "JournalBufferTimeout": 500_000}
    found = facts.reported(broker, STARTED)
    asked = facts.asked(settings)
    assert {name: found[name] for name in asked} == asked


def test_a_heap_of_whole_gib_is_read() -> None:
    """Java writes it in that unit."""
    settings = ArtemisSettings.model_validate({"name": "a", "kind": "artemis", "memory": "2GiB"})
    found = facts.reported({}, STARTED.replace("512M", "1G"))
    assert found["heap"] == facts.asked(settings)["heap"] == f"{1024**3} bytes"


def test_a_journal_that_is_off_is_none_whatever_its_type() -> None:
    """Artemis names a type all the same."""
    assert facts.reported({"PersistenceEnabled": False}, STARTED)["journal"] == config.STORES["memory"]
    assert facts.reported({"PersistenceEnabled": True}, "")["journal"] == "unknown"


def test_the_runtime_is_in_the_log() -> None:
    """Management over AMQP does not tell it."""
    assert facts.runtime(STARTED) == "Java 17.0.15+6-Debian-1deb12u1, G1"
    assert facts.runtime("") == "Java unknown, G1"
