"""How brokers end: stopped, killed, crashed, orphaned. Nothing may be left behind."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from brokers.admin import amqp091
from brokers.base import Broker, BrokerError
from brokers.places import limits, ports
from brokers.qpid_broker_j.settings import QpidBrokerJSettings
from brokers.rabbitmq.settings import RabbitMQSettings
from tests.live.conftest import listening

Settings = RabbitMQSettings | QpidBrokerJSettings
Starter = Callable[[Settings], Broker]

RABBITMQ = RabbitMQSettings(name="r", kind="rabbitmq")
QPID = QpidBrokerJSettings(name="q", kind="qpid-broker-j")
# Each broker ends one way, and each way is met by one broker; the other two are left to soak.
ENDS = [
    pytest.param(RABBITMQ, "stop", id="stop-rabbitmq"),
    pytest.param(QPID, "kill", id="kill-qpid-broker-j"),
    pytest.param(RABBITMQ, "kill", id="kill-rabbitmq", marks=pytest.mark.soak),
    pytest.param(QPID, "stop", id="stop-qpid-broker-j", marks=pytest.mark.soak),
]
FROZEN = [
    pytest.param(RABBITMQ, "kill", id="kill-rabbitmq"),
    pytest.param(QPID, "stop", id="stop-qpid-broker-j", marks=pytest.mark.soak),
    pytest.param(RABBITMQ, "stop", id="stop-rabbitmq", marks=pytest.mark.soak),
    pytest.param(QPID, "kill", id="kill-qpid-broker-j", marks=pytest.mark.soak),
]


def _groups(broker: Broker) -> tuple[Path, ...]:
    found: tuple[Path, ...] = broker._running._limits.groups  # type: ignore[attr-defined]
    return found


def _listeners(pids: tuple[int, ...]) -> set[int]:
    return {port for _, port in listening(pids)}


def _freeze(pids: tuple[int, ...]) -> None:
    """Stop processes, and wait until each is: a thread on another CPU goes on for a moment."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    until = time.monotonic() + 10
    while any(psutil.Process(pid).status() != psutil.STATUS_STOPPED for pid in pids):
        assert time.monotonic() < until
        time.sleep(0.01)


def _nothing_left(pids: tuple[int, ...], listeners: set[int], groups: tuple[Path, ...]) -> bool:
    return not (
        any(psutil.pid_exists(pid) for pid in pids)
        or any(not ports.is_free(port) for port in listeners)
        or any(group.exists() for group in groups)
    )


@pytest.mark.parametrize(("settings", "how"), ENDS)
def test_nothing_is_left_at_once(start_broker: Starter, settings: Settings, how: str) -> None:
    """No process (epmd included), listener or control group; the data stay. A stop is graceful, a kill is not."""
    broker = start_broker(settings)
    pids, groups = broker.pids(), _groups(broker)
    listeners = _listeners(pids)
    assert listeners
    begun = time.monotonic()
    getattr(broker, how)()
    assert time.monotonic() - begun < 12
    assert _nothing_left(pids, listeners, groups)
    assert broker.pids() == ()
    assert broker.failure() == "it was stopped"
    said_goodbye = re.search(r"BRK-1005|Virtual host '/' is stopping", broker.log()) is not None
    assert said_goodbye == (how == "stop")
    assert any(broker.folder.rglob("*"))
    with pytest.raises(BrokerError, match="is not running"):
        broker.endpoint("amqp091")


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param(RABBITMQ, id="rabbitmq"),
        pytest.param(QPID, id="qpid-broker-j", marks=pytest.mark.soak),
    ],
)
def test_a_crash_is_told_with_its_signal_and_the_next_start_is_empty(start_broker: Starter, settings: Settings) -> None:
    """By `failure`, and by whatever is asked of it afterwards; the rest of its processes end as well.

    What the store held is gone at the next start, so that every start is alike.
    """
    broker = start_broker(settings)
    broker.declare("q", durable=True)
    pids, groups = broker.pids(), _groups(broker)
    main = next(pid for pid in pids if psutil.Process(pid).name() in {"beam.smp", "java"})
    os.kill(main, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while broker.failure() is None:
        assert time.monotonic() < deadline
    assert "was ended by signal 9" in str(broker.failure())
    with pytest.raises(BrokerError, match="was ended by signal 9"):
        broker.declare("q", durable=False)
    broker.stop()
    assert _nothing_left(pids, set(), groups)
    broker.start()
    assert broker.failure() is None
    with pytest.raises(BrokerError, match="has no queue"):
        broker.depth("q")


@pytest.mark.parametrize(("settings", "how"), FROZEN)
def test_a_frozen_broker_is_told_and_ended(
    start_broker: Starter, settings: Settings, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its silence is a failure that names what it was asked, is met only once, and holds up no end."""
    broker = start_broker(settings)
    broker.declare("q", durable=False)
    monkeypatch.setattr(amqp091, "ANSWER_TIMEOUT_S", 1.0)  # from here on, as a busy host may take long to declare
    pids, groups = broker.pids(), _groups(broker)
    listeners = _listeners(pids)
    _freeze(pids)
    with pytest.raises(BrokerError, match=rf"broker '{settings.name}' .*did not answer queue\.declare \(passive\)"):
        broker.delete("q")
    assert "did not answer queue.declare (passive) within 1 s" in str(broker.failure())
    begun = time.monotonic()
    with pytest.raises(BrokerError, match="is not asked any more"):
        broker.delete("another")
    assert time.monotonic() - begun < 0.5
    getattr(broker, how)()
    assert time.monotonic() - begun < 12
    assert _nothing_left(pids, listeners, groups)
    assert broker.failure() == "it was stopped"


def test_a_stopped_sandbox_holds_up_no_end(start_broker: Starter) -> None:
    """Bubblewrap, outside and in, is stopped itself: an end lets it go on, so that it takes note."""
    broker = start_broker(RABBITMQ)
    pids, groups = broker.pids(), _groups(broker)
    running = broker._running  # type: ignore[attr-defined]
    bubblewraps = (running._popen.pid, running._first.pid)
    _freeze(bubblewraps)
    assert broker.failure() is None
    begun = time.monotonic()
    broker.stop()
    assert time.monotonic() - begun < 8
    assert _nothing_left((*pids, *bubblewraps), set(), groups)


def test_starting_a_running_broker_is_refused(rabbitmq: Broker) -> None:
    """And does it no harm."""
    with pytest.raises(BrokerError, match="runs already"):
        rabbitmq.start()
    assert rabbitmq.failure() is None


STARTER = """
import json, sys, threading, time
from pathlib import Path
from brokers.opening import open_broker
from brokers.qpid_broker_j.settings import QpidBrokerJSettings
from brokers.rabbitmq.settings import RabbitMQSettings

folder, root = Path(sys.argv[1]), Path(sys.argv[2])
brokers = [
    open_broker(settings, folder / settings.name, root, {})
    for settings in (
        RabbitMQSettings(name="r", kind="rabbitmq"), QpidBrokerJSettings(name="q", kind="qpid-broker-j")
    )
]
# From threads that end at once: the brokers must live on all the same.
threads = [threading.Thread(target=broker.start) for broker in brokers]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(json.dumps({
    "pids": [pid for broker in brokers for pid in broker.pids()],
    "groups": [str(group) for broker in brokers for group in broker._running._limits.groups],
    "failures": [broker.failure() for broker in brokers],
}), flush=True)
time.sleep(600)
"""


def test_brokers_end_with_a_starter_that_is_killed(image_root: Path, tmp_path: Path) -> None:
    """Every process within seconds; the empty control groups with the next broker that is started."""
    with subprocess.Popen([sys.executable, "-c", STARTER, tmp_path, image_root], stdout=subprocess.PIPE) as starter:
        assert starter.stdout is not None
        told = json.loads(starter.stdout.readline())
        assert told["failures"] == [None, None]
        processes = [psutil.Process(pid) for pid in told["pids"]]
        assert {"beam.smp", "epmd", "java"} <= {process.name() for process in processes}
        starter.kill()
    _, alive = psutil.wait_procs(processes, timeout=10)
    assert alive == []
    limits.impose(1024**3, 1).remove()
    assert [group for group in told["groups"] if Path(group).exists()] == []
