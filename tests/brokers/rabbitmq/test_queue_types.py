"""What RabbitMQ's types of queues have not, and which type a queue gets that names none."""

import pytest

from brokers.rabbitmq.product import PRODUCT
from brokers.rabbitmq.queue_types import faults
from brokers.rabbitmq.settings import RabbitMQSettings
from brokers.topology import Argument, DeclaredQueue, QueueKind, Topology


def _kind(durable: bool = True, auto_delete: bool = False, **arguments: Argument) -> QueueKind:  # noqa: FBT001, FBT002
    named = {name.replace("_", "-"): value for name, value in arguments.items()}
    return QueueKind(durable, named, auto_delete=auto_delete)


@pytest.mark.parametrize(
    ("kind", "fault", "remedy"),
    [
        (
            _kind(x_queue_type="quorum", x_max_priority=5),
            "x-max-priority = 5: a quorum queue of RabbitMQ has no such argument",
            "leave it out, or use x-queue-type = 'classic'",
        ),
        (
            _kind(x_queue_type="stream", x_message_ttl=5),
            "x-message-ttl = 5: a stream queue of RabbitMQ has no such argument",
            "leave it out, or use x-queue-type = 'classic' or 'quorum'",
        ),
        (
            _kind(durable=False, x_queue_type="quorum"),
            "durable = false: a quorum queue of RabbitMQ is durable (messages may be transient)",
            "leave it out, or use x-queue-type = 'classic'",
        ),
        (
            _kind(auto_delete=True, x_queue_type="stream", x_max_age="1h"),
            "auto_delete = true: a stream queue of RabbitMQ is never deleted by itself",
            "leave it out, or use another queue for it",
        ),
        (
            _kind(x_queue_type="lazy"),
            "x-queue-type = 'lazy': RabbitMQ has 'classic', 'quorum', 'stream'",
            "use one of them",
        ),
        (
            _kind(x_max_length=1, x_overflow="block"),
            "x-overflow = 'block': RabbitMQ has 'drop-head', 'reject-publish', 'reject-publish-dlx'",
            "use one of them",
        ),
        (
            _kind(x_queue_type="quorum", x_max_length=1, x_overflow="reject-publish-dlx"),
            "x-overflow = 'reject-publish-dlx': a quorum queue of RabbitMQ drops its oldest message then",
            "leave it out, or use x-queue-type = 'classic'",
        ),
        (_kind(x_max_priority=300), "x-max-priority = 300", "RabbitMQ takes 255 at most, and advises 10"),
        (_kind(x_mesage_ttl=5), "x-mesage-ttl = 5: RabbitMQ would pass over it", "did you mean x-message-ttl?"),
    ],
)
def test_each_fault_names_value_and_remedy(kind: QueueKind, fault: str, remedy: str) -> None:
    """And there is no other."""
    assert [*faults(kind)] == [f"{fault}: {remedy}"]


def test_an_argument_of_a_plugin_passes() -> None:
    """RabbitMQ takes what it does not know."""
    assert [*faults(_kind(x_cache_size=1000))] == []


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        (_kind(), (True, "quorum")),
        (_kind(durable=False), (False, "classic")),
        (_kind(x_max_priority=5), (True, "classic")),
        (_kind(auto_delete=True), (True, "classic")),
        (_kind(x_max_age="1h"), (True, "stream")),
        (_kind(x_max_length=1, x_overflow="reject-publish-dlx"), (True, "classic")),
        (_kind(x_queue_type="classic"), (True, "classic")),
    ],
)
def test_a_queue_gets_the_type_of_the_settings_where_that_can_be_what_it_asks(
    asked: QueueKind, wanted: tuple[bool, str]
) -> None:
    """Otherwise the first that can; one that is named is kept."""
    topology = Topology(queues=(DeclaredQueue("q", asked),))
    assert [*PRODUCT.topology_faults(PRODUCT.defaults, topology, "amqp091")] == []
    [found] = PRODUCT.as_declared(PRODUCT.defaults, topology).queues
    assert (found.kind.durable, found.kind.arguments["x-queue-type"]) == wanted
    assert found.kind.arguments.items() >= asked.arguments.items()


def test_where_no_transient_queues_are_permitted_all_are_durable() -> None:
    """As for the queues of other workloads."""
    settings = RabbitMQSettings(name="r", kind="rabbitmq", transient_queue="durable-classic")
    [found] = PRODUCT.as_declared(settings, Topology(queues=(DeclaredQueue("q", _kind(durable=False)),))).queues
    assert found.kind == QueueKind(durable=True, arguments={"x-queue-type": "classic"})
