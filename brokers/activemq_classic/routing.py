"""A topology in the words of ActiveMQ Classic: virtual topics, and the queues of their consumers. Pure.

A message that is sent to the topic `VirtualTopic.x` is copied to each queue `Consumer.name.VirtualTopic.x` that is
there (https://activemq.apache.org/components/classic/documentation/virtual-destinations). So a fanout exchange `x` is
that topic, a direct one has a topic for each key (`VirtualTopic.x.key`), and a queue has one binding at most, which is
part of its name there. Queues have no arguments: age, limits and dead letters stand in the broker's file, for all.
"""

from collections import Counter
from collections.abc import Iterator, Mapping

from brokers.topology import Binding, Topology

OTHERWISE_READ = frozenset("*>,?")
"""Letters that make a name several names, or options, on this broker."""
NOT_IN_KEYS = OTHERWISE_READ | {"#"}
"""The same, and the wildcard of AMQP 0-9-1."""
PREFIX = "VirtualTopic."


def topic(exchange: str, key: str = "") -> str:
    """Return the topic that an exchange is, or a key on it."""
    return f"{PREFIX}{exchange}.{key}" if key else f"{PREFIX}{exchange}"


def names(whole: Topology) -> dict[str, str]:
    """Return what each queue is called on the broker, by its own name."""
    types = {one.name: one.type for one in whole.exchanges}
    bound = {one.queue: one for one in whole.bindings}
    return {
        queue.name: _consumer(bound[queue.name], types) if queue.name in bound else queue.name for queue in whole.queues
    }


def faults(whole: Topology) -> Iterator[str]:
    """Yield what ActiveMQ Classic has not."""
    types = {one.name: one.type for one in whole.exchanges}
    for exchange in whole.exchanges:
        if exchange.type == "headers":
            yield (
                f"exchange {exchange.name!r}: type = 'headers': ActiveMQ Classic copies messages by virtual topics,"
                " which look at no headers: use 'fanout' or 'direct', or let `only` of the workload leave it out"
            )
    for what, name in (
        *(("exchange", one.name) for one in whole.exchanges),
        *(("queue", one.name) for one in whole.queues),
    ):
        if OTHERWISE_READ & {*name}:
            yield (
                f"{what} {name!r}: ActiveMQ Classic reads {' '.join(sorted(OTHERWISE_READ & {*name}))} in a name"
                " otherwise: use letters, digits, `-` and `_`"
            )
    many = {queue: number for queue, number in Counter(one.queue for one in whole.bindings).items() if number > 1}
    for queue, number in [*many.items()][:1]:
        more = f" and {len(many) - 1} more" if len(many) > 1 else ""
        yield (
            f"queue {queue!r}{more}: {number} bindings: a queue of ActiveMQ Classic lies at one virtual topic: declare"
            " a queue for each binding, or let `only` of the workload leave this broker out"
        )
    for binding in whole.bindings:
        yield from _binding_faults(binding, types)
    for whose, queues in whole.alike():
        kind = queues[0].kind
        for name, value in kind.arguments.items():
            yield (
                f"{whose}: {name} = {value!r}: queues of ActiveMQ Classic have no arguments, its file says how all are:"
                " leave it out, or let `only` of the workload leave this broker out"
            )
        if kind.auto_delete:
            yield f"{whose}: auto_delete = true: ActiveMQ Classic keeps a queue that nobody uses: leave it out"


def _binding_faults(binding: Binding, types: Mapping[str, str]) -> Iterator[str]:
    whose = f"binding of {binding.queue!r} to {binding.exchange!r}"
    if types.get(binding.exchange) in ("direct", "topic") and NOT_IN_KEYS & {*binding.key}:
        yield (
            f"{whose}: key = {binding.key!r}: a virtual topic of ActiveMQ Classic has no patterns: use whole keys, or"
            " let `only` of the workload leave this broker out"
        )
    if "." in binding.queue:
        yield f"{whose}: a dot in {binding.queue!r} parts the name of a virtual topic's queue: use another name"


def _consumer(binding: Binding, types: Mapping[str, str]) -> str:
    key = binding.key if types.get(binding.exchange) in ("direct", "topic") else ""
    return f"Consumer.{binding.queue}.{topic(binding.exchange, key)}"
