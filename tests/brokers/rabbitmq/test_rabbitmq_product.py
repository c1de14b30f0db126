"""What RabbitMQ says of flows before anything runs."""

import pytest

from brokers.endpoint import Protocol
from brokers.rabbitmq.product import PRODUCT
from brokers.settings import External
from brokers.topology import FlowNeeds


@pytest.mark.parametrize(
    ("image", "protocol", "reply", "refused"),
    [
        ("stable", "amqp10", "dynamic", True),
        ("stable", "amqp10", "queue", False),
        ("stable", "amqp091", "dynamic", False),
        ("current", "amqp10", "dynamic", False),
    ],
)
def test_dynamic_nodes_need_more_than_4_0(image: str, protocol: Protocol, reply: str, *, refused: bool) -> None:
    """RabbitMQ 4.0 answers `amqp:not-implemented: Dynamic sources not supported`; over 0-9-1 it names a queue."""
    settings = PRODUCT.defaults.model_copy(update={"image": image})
    needs = FlowNeeds(reply=reply)  # type: ignore[arg-type]
    assert [field for field, _ in PRODUCT.flow_faults(settings, needs, protocol)] == ["reply"] * refused


def test_nothing_is_said_of_a_version_that_is_not_known() -> None:
    """A broker that someone else runs may be newer."""
    settings = PRODUCT.defaults.model_copy(update={"place": "external", "external": External()})
    assert not [*PRODUCT.flow_faults(settings, FlowNeeds(reply="dynamic"), "amqp10")]
