"""Properties of messages in pika's words."""

import pika

from bench.drivers.base import Properties

_PERSISTENT, _TRANSIENT = 2, 1
"""Delivery modes (0-9-1, class basic)."""


def basic_properties(properties: Properties, *, durable: bool) -> pika.BasicProperties:
    """Return what pika sends with a message."""
    return pika.BasicProperties(
        delivery_mode=_PERSISTENT if durable else _TRANSIENT,
        headers=dict(properties.headers) or None,
        content_type=properties.content_type or None,
        content_encoding=properties.content_encoding or None,
        priority=properties.priority,
        correlation_id=properties.correlation_id or None,
        expiration=None if properties.expiration_ms is None else str(properties.expiration_ms),
        message_id=properties.message_id or None,
        type=properties.type or None,
        app_id=properties.app_id or None,
    )
