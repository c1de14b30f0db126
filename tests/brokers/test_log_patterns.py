"""What a broker's log tells, in its own words."""

import pytest

from brokers.log_patterns import LogPatterns, since
from brokers.qpid_broker_j.config import LOG as OF_BROKER_J
from brokers.rabbitmq.config import LOG as OF_RABBITMQ

MEMORY = "memory resource limit alarm set on node bench@localhost."
RABBITMQ = f"""2026-01-01 10:00:00.1+00:00 [info] <0.216.0>  Starting RabbitMQ 4.0.5 on Erlang 27.3.4.1 [jit]
  Starting broker...2026-01-01 10:00:00.2+00:00 [info] <0.216.0>
2026-01-01 10:00:09.1+00:00 [warning] <0.367.0> {MEMORY}
2026-01-01 10:00:09.1+00:00 [warning] <0.367.0>
2026-01-01 10:00:09.1+00:00 [warning] <0.367.0> *** Publishers will be blocked until this alarm clears ***
2026-01-01 10:00:10.1+00:00 [warning] <0.367.0> memory resource limit alarm cleared on node bench@localhost
2026-01-01 10:00:11.1+00:00 [warning] <0.367.0> {MEMORY}
"""
BROKER_J = """[Broker] BRK-1001 : Startup : Version: 10.1.0 Build: 90e0ae4d
2026-01-01T10:00:00,345Z INFO  [Broker-Config] (q.m.b.startup) - [Broker] BRK-1001 : Startup : Version: 10.1.0
2026-01-01T10:00:05,345Z INFO  [x] (q.m.v.filesystem_full) - VHT-1006 : Filesystem is over 90 per cent full, enforcing \
flow control.
2026-01-01T10:00:06,345Z INFO  [x] (q.m.v.filesystem_notfull) - VHT-1007 : Filesystem is no longer over 90 per cent full
"""


def test_an_alarm_is_quoted_once_and_its_end_is_none() -> None:
    """Memory alarms of RabbitMQ, set twice and cleared: one sign, in the broker's words."""
    assert OF_RABBITMQ.alarms_in(RABBITMQ) == (MEMORY,)
    assert OF_RABBITMQ.alarms_in(RABBITMQ.replace("memory", "disk")) == (MEMORY.replace("memory", "disk"),)
    assert OF_BROKER_J.alarms_in(BROKER_J) == (
        "VHT-1006 : Filesystem is over 90 per cent full, enforcing flow control.",
    )


@pytest.mark.parametrize(("patterns", "log"), [(OF_RABBITMQ, RABBITMQ), (OF_BROKER_J, BROKER_J)])
def test_a_start_is_counted_once(patterns: LogPatterns, log: str) -> None:
    """However often a broker prints it."""
    assert patterns.starts_in(log) == 1
    assert patterns.starts_in(log + log) == 2
    assert patterns.starts_in("2026-01-01 10:00:00.1+00:00 [info] <0.9.0> Starting message stores for vhost '/'") == 0


def test_what_came_since_is_told_from_what_was_there() -> None:
    """A log that grew, one whose beginning was left out meanwhile, and one that began anew."""
    assert since("", "ab") == "ab"
    assert since("ab\n", "ab\ncd\n") == "cd\n"
    old = "".join(f"line {n}\n" for n in range(2000))
    assert since(old, old[5000:] + "new\n") == "new\n"
    assert since(old, "another file\n") == "another file\n"
    assert OF_RABBITMQ.alarms_in(since(RABBITMQ, RABBITMQ + "quiet\n")) == ()
