"""From settings to a broker, not started yet."""

from collections.abc import Mapping
from pathlib import Path

from brokers import qpid_broker_j_config, rabbitmq_config
from brokers.base import Broker
from brokers.external import ExternalBroker
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
        folder: the broker's own folder; its start empties it. Unused by an external broker.
        image_root: root file system of the image; None for an external broker.
        environ: where the credentials of an external broker are looked up.

    Raises:
        ValueError: a broker that is to be started was given no image.
    """
    if settings.external is not None:
        if isinstance(settings, RabbitMQSettings):
            dialect, asked = rabbitmq_config.dialect(settings), rabbitmq_config.asked_of_external(settings)
        else:
            dialect, asked = qpid_broker_j_config.dialect(), {}
        return ExternalBroker(settings.name, folder, settings.external, dialect, asked, environ)
    if image_root is None:
        message = f"broker {settings.name!r} is started from an image, and none was given"
        raise ValueError(message)
    place = Sandbox(image_root)
    if isinstance(settings, RabbitMQSettings):
        return RabbitMQ(settings, folder, image_root, place)
    return QpidBrokerJ(settings, folder, image_root, place)
