"""What a broker's "durable" promises: rows of unlike promise are not compared. Pure.

Classes go by the synchronous writes that each store was seen to make for a confirmed
persistent message (counted with strace, one message at a time): RabbitMQ quorum one
fsync a message, classic one in a thousand; Broker-J BDB one fsync a message, Derby one
O_DSYNC write a message.
"""

from enum import StrEnum

from bench.scenario import MemoryBroker, Scenario, Workload


class Durability(StrEnum):
    """What a confirmed message survives."""

    NONE = "nothing: it is lost with the broker"
    PROCESS = "a crash of the broker's process"
    SYSTEM = "a crash of the operating system"
    UNKNOWN = "what is not known, as someone else runs this broker"


_STORES = {
    ("rabbitmq", "classic"): Durability.PROCESS,
    ("rabbitmq", "quorum"): Durability.SYSTEM,
    ("qpid-broker-j", "memory"): Durability.NONE,
    ("qpid-broker-j", "bdb"): Durability.SYSTEM,
    ("qpid-broker-j", "derby"): Durability.SYSTEM,
}


def durability(scenario: Scenario, broker: str, workload: Workload) -> Durability:
    """Return the promise of a broker's settings for a workload; raise KeyError for an unknown broker."""
    settings = scenario.broker(broker)
    if not workload.durable or isinstance(settings, MemoryBroker):
        return Durability.NONE
    if settings.place == "external":
        return Durability.UNKNOWN
    store = settings.durable_queue if settings.kind == "rabbitmq" else settings.store
    return _STORES[settings.kind, store]
