"""From settings to a broker, not started yet."""

from collections.abc import Mapping
from pathlib import Path

from brokers.base import Broker
from brokers.places.base import Opening
from brokers.registry import place_of, product_of
from brokers.settings import BrokerSettings


def open_broker(
    settings: BrokerSettings,
    folder: Path,
    image_root: Path | None,
    environ: Mapping[str, str],
    *,
    consume_existing: bool = False,
) -> Broker:
    """Return the broker that settings describe; nothing is started or connected yet.

    Args:
        settings: what is wanted.
        folder: the broker's own folder; its start empties it. Unused where nothing is started.
        image_root: root file system of the image; None for a place that needs none.
        environ: where the credentials of a broker that someone else runs are looked up.
        consume_existing: whether messages in queues that the user named may be consumed.

    Raises:
        LookupError: its product or place is not installed.
        ValueError: a broker that is to be started from an image was given none.
    """
    opening = Opening(product_of(settings), settings, folder, image_root, environ, consume_existing)
    return place_of(settings).open(opening)
