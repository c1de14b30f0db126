"""What a scenario may ask of RabbitMQ. Pure."""

from typing import Literal

from brokers.settings import BrokerSettings


class RabbitMQSettings(BrokerSettings):
    """RabbitMQ: queue types and memory watermark."""

    kind: Literal["rabbitmq"]
    """`rabbitmq`."""
    transient_queue: Literal["classic", "durable-classic", "quorum"] = "classic"
    """Queue type of workloads that are not durable. `durable-classic` is a durable queue that takes transient messages,
    for servers that permit no transient queues (`deprecated_features.permit.transient_nonexcl_queues = false`)."""
    durable_queue: Literal["classic", "quorum"] = "quorum"
    """Queue type of durable workloads."""
