"""How kinds of brokers are recognised."""

import pytest

from brokers import qpid_broker_j_config, rabbitmq_config
from brokers.settings import RabbitMQSettings


@pytest.mark.parametrize(
    ("announced", "rabbit", "qpid"),
    [("RabbitMQ", True, False), ("Apache Qpid Broker-J Core", False, True), ("", False, False)],
)
def test_products_are_recognised_by_what_they_announce(announced: str, rabbit: bool, qpid: bool) -> None:  # noqa: FBT001
    """So that an external broker of the wrong kind is told at once."""
    dialect = rabbitmq_config.dialect(RabbitMQSettings(name="r", kind="rabbitmq"))
    assert dialect.is_product(announced) is rabbit
    assert qpid_broker_j_config.dialect().is_product(announced) is qpid
