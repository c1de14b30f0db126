"""Products: how they are recognised, and what each says of itself."""

import pytest

from brokers.registry import products


@pytest.mark.parametrize(
    ("announced", "rabbit", "qpid"),
    [("RabbitMQ", True, False), ("Apache Qpid Broker-J Core", False, True), ("", False, False)],
)
def test_products_are_recognised_by_what_they_announce(announced: str, rabbit: bool, qpid: bool) -> None:  # noqa: FBT001
    """So that an external broker of the wrong kind is told at once."""
    known = {kind: one.member for kind, one in products().installed.items()}
    assert known["rabbitmq"].is_product(announced) is rabbit
    assert known["qpid-broker-j"].is_product(announced) is qpid
