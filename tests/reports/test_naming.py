"""What targets are called: no two alike, whatever the scenario calls them."""

from dataclasses import replace

from reports.dataset import Dataset
from reports.naming import names
from tests.reports.synthetic import TARGETS


def test_labels_are_of_product_and_protocol(quick: Dataset) -> None:
    """Without a label of its own a target is called after what it is."""
    found = names(quick)
    assert [found[target].label for target in TARGETS] == [
        "RabbitMQ AMQP 0-9-1",
        "RabbitMQ AMQP 1.0",
        "Broker-J AMQP 0-9-1",
        "Broker-J AMQP 1.0",
    ]
    assert found["broker-j-10"].full == "Apache Qpid Broker-J 10.1.0 over AMQP 1.0"


def test_two_targets_with_one_label_go_by_their_names(quick: Dataset) -> None:
    """A sentence or a figure that names two rows alike tells nothing; other labels stay."""
    targets = tuple(
        target.model_copy(update={"label": "Rabbit"}) if target.broker == "rabbitmq" else target
        for target in quick.scenario.targets
    )
    found = names(replace(quick, scenario=quick.scenario.model_copy(update={"targets": targets})))
    assert [found[target].label for target in TARGETS] == [
        "rabbitmq-091",
        "rabbitmq-10",
        "Broker-J AMQP 0-9-1",
        "Broker-J AMQP 1.0",
    ]
