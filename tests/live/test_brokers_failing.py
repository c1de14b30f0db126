"""Brokers that cannot start: one message with the reason from the log, and nothing left running."""

import os
import socket
from collections.abc import Mapping
from pathlib import Path

import psutil
import pytest

from brokers.base import BrokerError
from brokers.places import limits
from brokers.places.base import Opening
from brokers.places.ports import LOOPBACK, free_ports
from brokers.places.sandbox import Sandbox
from brokers.qpid_broker_j import config as qpid_broker_j_config
from brokers.qpid_broker_j.settings import QpidBrokerJSettings
from brokers.rabbitmq import config as rabbitmq_config
from brokers.rabbitmq.settings import RabbitMQSettings
from brokers.registry import product_of
from brokers.settings import BrokerSettings
from brokers.started_broker import StartedBroker

RABBITMQ = RabbitMQSettings(name="r", kind="rabbitmq")
QPID = QpidBrokerJSettings(name="q", kind="qpid-broker-j")


def _broker(
    settings: BrokerSettings, folder: Path, root: Path, ports: Mapping[str, int] | None = None
) -> StartedBroker:
    return StartedBroker(Opening(product_of(settings), settings, folder, root, {}), Sandbox(root, {}), ports)


def _groups() -> set[Path]:
    """Return the control groups that this process has made."""
    return set(Path("/sys/fs/cgroup").glob(f"**/{limits.PREFIX}{os.getpid()}-*"))


def _refused(broker: StartedBroker) -> str:
    """Return the message of a start that fails, having looked that nothing is left."""
    before = _groups()
    with pytest.raises(BrokerError) as caught:
        broker.start()
    # The sandbox's command line names the folder, and nothing in a sandbox outlives it.
    commands = [" ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"])]
    assert not [command for command in commands if f"--bind {broker.folder} " in command]
    assert broker.pids() == ()
    assert broker._running is None
    assert _groups() == before
    message = str(caught.value)
    assert f"broker {broker.name!r} failed to start" in message
    return message


# Those of Artemis stand in its own file.
@pytest.mark.parametrize("settings", [QPID, pytest.param(RABBITMQ, marks=pytest.mark.soak)], ids=lambda one: one.kind)
def test_a_port_in_use(settings: BrokerSettings, image_root: Path, tmp_path: Path) -> None:
    """Each broker's own words for it are quoted, with the port."""
    with socket.create_server((LOOPBACK, 0)) as server:
        port = server.getsockname()[1]
        message = _refused(
            _broker(settings, tmp_path / "b", image_root, free_ports(product_of(settings).ports) | {"amqp": port})
        )
    assert str(port) in message
    assert "eaddrinuse" in message or "port in use" in message


def test_a_configuration_that_rabbitmq_does_not_know(
    image_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wrong line is in the message."""
    monkeypatch.setattr(rabbitmq_config, "config", lambda *_: "listeners.tcp.1 = 127.0.0.1:nonsense\n")
    assert "nonsense" in _refused(_broker(RABBITMQ, tmp_path / "b", image_root))


def test_a_virtual_host_that_broker_j_cannot_open(
    image_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Broker-J says that it is ready all the same."""
    monkeypatch.setattr(qpid_broker_j_config, "threads", lambda _cpus: (4, 8))
    message = _refused(_broker(QPID, tmp_path / "b", image_root))
    assert "Number of Selectors 8" in message
    assert "FAILURE" in message


def test_a_heap_that_is_too_small(image_root: Path, tmp_path: Path) -> None:
    """The JVM's own word is quoted."""
    settings = QPID.model_copy(update={"memory": 64 * 1024**2, "heap_share": 0.11})
    message = _refused(_broker(settings, tmp_path / "b", image_root))
    assert "OutOfMemoryError" in message or "memory cap" in message


def test_a_memory_cap_that_is_too_small(image_root: Path, tmp_path: Path) -> None:
    """Where the kernel enforces it, the message names the cap and the setting to raise."""
    probe = limits.impose(1024**3, 1)
    probe.remove()
    if "cgroup" not in probe.facts["memory"].split(",")[1]:
        pytest.skip("no control group can be written here")
    settings = RABBITMQ.model_copy(update={"memory": 40 * 1024**2})
    message = _refused(_broker(settings, tmp_path / "b", image_root))
    assert "memory cap of 40 MiB: raise `memory` of broker 'r'" in message


@pytest.mark.parametrize("settings", [RABBITMQ, QPID], ids=lambda settings: settings.kind)
def test_an_image_without_the_broker(settings: BrokerSettings, tmp_path: Path) -> None:
    """Told before anything is started."""
    with pytest.raises(BrokerError, match="holds no"):
        _broker(settings, tmp_path / "b", tmp_path).start()


def test_a_folder_that_cannot_be_written(image_root: Path, tmp_path: Path) -> None:
    """Told with the folder."""
    (tmp_path / "file").write_text("")
    with pytest.raises(BrokerError, match="its folder cannot be prepared"):
        _broker(RABBITMQ, tmp_path / "file" / "b", image_root).start()
