"""RabbitMQ's types of queues: what each refuses, as 4.0.5 does, and which one a queue gets that asks for none. Pure.

Sources: https://www.rabbitmq.com/docs/queues, /docs/quorum-queues#feature-comparison, /docs/streams#feature-comparison.
"""

import difflib
from collections.abc import Iterator

from brokers import topology
from brokers.topology import QueueKind

_LIMITS = (topology.MAX_LENGTH, topology.OVERFLOW)
_DEAD_LETTERS = (topology.DEAD_LETTER_EXCHANGE, topology.DEAD_LETTER_KEY, "x-dead-letter-strategy")
_OF_CLASSIC = (topology.MAX_PRIORITY, "x-queue-mode", "x-queue-version")
_OF_QUORUM = (topology.DELIVERY_LIMIT, "x-quorum-initial-group-size")
_OF_STREAMS = ("x-max-age", "x-stream-max-segment-size-bytes", "x-stream-filter-size-bytes")
REFUSED = {
    "classic": (*_OF_QUORUM, *_OF_STREAMS, "x-dead-letter-strategy"),
    "quorum": (*_OF_CLASSIC, *_OF_STREAMS),
    "stream": (
        *(topology.TTL, topology.EXPIRES, topology.SINGLE_CONSUMER),
        *(*_LIMITS, *_DEAD_LETTERS, *_OF_CLASSIC, *_OF_QUORUM),
    ),
}
"""Arguments that the broker refuses, by type of queue."""
KNOWN = {name for names in REFUSED.values() for name in names} | {
    *(*topology.COUNTS, *topology.SWITCHES, *topology.WORDS),
    *("x-queue-leader-locator", "x-initial-cluster-size", "x-queue-master-locator", "x-consumer-timeout"),
}
_CLASSIC_OVERFLOW = "reject-publish-dlx"
OVERFLOWS = (topology.DROP_HEAD, topology.REJECT_PUBLISH, _CLASSIC_OVERFLOW)
MOST_PRIORITIES = 255
CLASSIC = "classic"


def faults(kind: QueueKind) -> Iterator[str]:
    """Yield what a queue asks for that its type has not; of one without a type, what no type has."""
    asked = kind.arguments
    wanted = asked.get(topology.QUEUE_TYPE, CLASSIC)
    if wanted not in REFUSED:
        yield f"{topology.QUEUE_TYPE} = {wanted!r}: RabbitMQ has {', '.join(map(repr, REFUSED))}: use one of them"
        return
    named = str(wanted)
    if topology.QUEUE_TYPE in asked or not _takers(kind):
        yield from (f"{fault}: leave it out, or use {_instead(kind)}" for fault in _refused(kind, named))
    overflow = asked.get(topology.OVERFLOW, topology.DROP_HEAD)
    if overflow not in OVERFLOWS:
        yield f"{topology.OVERFLOW} = {overflow!r}: RabbitMQ has {', '.join(map(repr, OVERFLOWS))}: use one of them"
    priorities = asked.get(topology.MAX_PRIORITY)
    if isinstance(priorities, int) and priorities > MOST_PRIORITIES:
        yield f"{topology.MAX_PRIORITY} = {priorities}: RabbitMQ takes {MOST_PRIORITIES} at most, and advises 10"
    for name in sorted(asked.keys() - KNOWN):
        # It passes over an argument that it does not know; a plugin may know it.
        if near := difflib.get_close_matches(name, KNOWN, 1, 0.8):
            yield f"{name} = {asked[name]!r}: RabbitMQ would pass over it: did you mean {near[0]}?"


def typed(kind: QueueKind, default: QueueKind) -> QueueKind:
    """Return a queue with its type: by default that of the settings, or the first that has all that is asked for."""
    if topology.QUEUE_TYPE in kind.arguments:
        return kind
    others = (QueueKind(kind.durable, {topology.QUEUE_TYPE: name}) for name in REFUSED)
    for chosen in (default, *others):
        name = str(chosen.arguments[topology.QUEUE_TYPE])
        found = QueueKind(
            kind.durable or chosen.durable,
            {**kind.arguments, topology.QUEUE_TYPE: name},
            exclusive=kind.exclusive,
            auto_delete=kind.auto_delete,
        )
        if not [*_refused(found, name)]:
            return found
    return kind


def _refused(kind: QueueKind, named: str) -> Iterator[str]:
    """Yield what a queue asks for that queues of this type are refused with."""
    for name in REFUSED[named]:
        if name in kind.arguments:
            yield f"{name} = {kind.arguments[name]!r}: a {named} queue of RabbitMQ has no such argument"
    if named == CLASSIC:
        return
    if named == "quorum" and kind.arguments.get(topology.OVERFLOW) == _CLASSIC_OVERFLOW:
        yield f"{topology.OVERFLOW} = {_CLASSIC_OVERFLOW!r}: a quorum queue of RabbitMQ drops its oldest message then"
    if not kind.durable:
        yield f"durable = false: a {named} queue of RabbitMQ is durable (messages may be transient)"
    if kind.auto_delete:
        yield f"auto_delete = true: a {named} queue of RabbitMQ is never deleted by itself"


def _takers(kind: QueueKind) -> list[str]:
    """Return the types that can be all that is asked for."""
    return [name for name in REFUSED if not [*_refused(kind, name)]]


def _instead(kind: QueueKind) -> str:
    """Return what to write for a queue that can be what it asks."""
    others = _takers(kind)
    return f"{topology.QUEUE_TYPE} = {' or '.join(map(repr, others))}" if others else "another queue for it"
