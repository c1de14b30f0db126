"""From settings to a broker, not started yet."""

from collections.abc import Mapping
from pathlib import Path

from brokers.base import Broker
from brokers.places.sandbox import Sandbox
from brokers.qpid_broker_j import QpidBrokerJ
from brokers.rabbitmq import RabbitMQ
from brokers.settings import QpidBrokerJSettings, RabbitMQSettings


def open_broker(
    settings: RabbitMQSettings | QpidBrokerJSettings,
    folder: Path,
    image_root: Path | None,
    environ: Mapping[str, str],
) -> Broker:
    """Return the broker that settings describe; nothing is started or connected yet.

    Args:
        settings: what is wanted.
        folder: the broker's own folder; its start empties it.
        image_root: root file system of the image; None for an external broker.
        environ: where the credentials of an external broker are looked up.
    """
    if image_root is None:
        message = "a broker that we start needs an image"
        raise ValueError(message)
    place = Sandbox(image_root)
    if isinstance(settings, RabbitMQSettings):
        return RabbitMQ(settings, folder, image_root, place)
    return QpidBrokerJ(settings, folder, image_root, place)
