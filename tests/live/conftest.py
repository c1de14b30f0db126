"""Real brokers for live tests: one image and one of each broker, shared by the whole session.

A test that breaks a broker starts its own by `start_broker`.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import psutil
import pytest

from brokers import image
from brokers.activemq_classic.settings import ActiveMQClassicSettings
from brokers.artemis.settings import ArtemisSettings
from brokers.base import Broker
from brokers.opening import open_broker
from brokers.qpid_broker_j.settings import QpidBrokerJSettings
from brokers.rabbitmq.settings import RabbitMQSettings
from brokers.settings import BrokerSettings

Starter = Callable[[BrokerSettings], Broker]


def listening(pids: Iterable[int]) -> set[tuple[str, int]]:
    """Return addresses and ports at which processes listen; Java listens by IPv6 for both kinds of address."""
    return {
        (connection.laddr.ip.removeprefix("::ffff:"), connection.laddr.port)
        for pid in pids
        for connection in psutil.Process(pid).net_connections()
        if connection.status == psutil.CONN_LISTEN
    }


@pytest.fixture(scope="session")
def image_root() -> Path:
    """The root file system of the stable image, built where it is missing."""
    return image.ensure("stable", print).root


@pytest.fixture
def start_broker(image_root: Path, tmp_path: Path) -> Iterator[Starter]:
    """Start a broker of one's own; it is stopped after the test."""
    started: list[Broker] = []

    def start(settings: BrokerSettings) -> Broker:
        broker = open_broker(settings, tmp_path / f"broker-{len(started)}", image_root, os.environ)
        broker.start()
        started.append(broker)
        return broker

    yield start
    for broker in started:
        broker.stop()


@pytest.fixture(scope="session")
def rabbitmq(image_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A RabbitMQ that every test of the session may use on queues of its own, and must not stop."""
    yield from _shared(RabbitMQSettings(name="rabbitmq", kind="rabbitmq"), image_root, tmp_path_factory)


@pytest.fixture(scope="session")
def qpid_broker_j(image_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A Broker-J on a BDB store that every test may use on queues of its own, and must not stop."""
    yield from _shared(QpidBrokerJSettings(name="qpid", kind="qpid-broker-j"), image_root, tmp_path_factory)


@pytest.fixture(scope="session")
def artemis(image_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """An Artemis on a NIO journal that every test may use on queues of its own, and must not stop."""
    yield from _shared(ArtemisSettings(name="artemis", kind="artemis"), image_root, tmp_path_factory)


@pytest.fixture(scope="session")
def activemq_classic(image_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """An ActiveMQ Classic on KahaDB that every test may use on queues of its own, and must not stop."""
    settings = ActiveMQClassicSettings(name="activemq", kind="activemq-classic")
    yield from _shared(settings, image_root, tmp_path_factory)


@pytest.fixture(params=["rabbitmq", "qpid_broker_j"])
def broker(request: pytest.FixtureRequest) -> Broker:
    """Each of the shared brokers in turn."""
    found: Broker = request.getfixturevalue(request.param)
    return found


def _shared(settings: BrokerSettings, image_root: Path, folders: pytest.TempPathFactory) -> Iterator[Broker]:
    broker = open_broker(settings, folders.mktemp(settings.name), image_root, os.environ)
    broker.start()
    yield broker
    broker.stop()
