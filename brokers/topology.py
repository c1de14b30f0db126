"""What a workload declares on a broker: exchanges, queues, and what binds them. Pure.

The words are those of AMQP 0-9-1. Arguments of queues have the names that RabbitMQ gave them and that others took over
(https://www.rabbitmq.com/docs/queues#optional-arguments): a product translates those that it has under another name,
and says which it has not (`brokers.product.Product.topology_faults`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

ExchangeType = Literal["direct", "topic", "fanout", "headers"]
Argument = str | int | float | bool

TTL = "x-message-ttl"
"""Milliseconds that a message may stay in a queue."""
MAX_LENGTH = "x-max-length"
"""Messages that a queue holds at most."""
MAX_LENGTH_BYTES = "x-max-length-bytes"
OVERFLOW = "x-overflow"
"""What gives way where a queue is full: DROP_HEAD, which is what holds unless said, or REJECT_PUBLISH."""
DROP_HEAD, REJECT_PUBLISH = "drop-head", "reject-publish"
DEAD_LETTER_EXCHANGE = "x-dead-letter-exchange"
"""Where a message goes that is refused for good, too old or dropped; the empty name is the default exchange."""
DEAD_LETTER_KEY = "x-dead-letter-routing-key"
"""The routing key that it gets there; by default it keeps its own."""
SINGLE_CONSUMER = "x-single-active-consumer"
MAX_PRIORITY = "x-max-priority"
DELIVERY_LIMIT = "x-delivery-limit"
"""How often a message may be given back to a queue."""
EXPIRES = "x-expires"
"""Milliseconds after which a queue is deleted that nobody uses."""
QUEUE_TYPE = "x-queue-type"

COUNTS = (TTL, MAX_LENGTH, MAX_LENGTH_BYTES, MAX_PRIORITY, DELIVERY_LIMIT, EXPIRES)
"""Arguments that are whole numbers, from 0."""
_UNITS = {TTL: " of milliseconds", EXPIRES: " of milliseconds", MAX_LENGTH_BYTES: " of bytes"}
SWITCHES = (SINGLE_CONSUMER,)
"""Arguments that are true or false."""
WORDS = (OVERFLOW, DEAD_LETTER_EXCHANGE, DEAD_LETTER_KEY, QUEUE_TYPE)
"""Arguments that are text."""
COMMON = frozenset({*COUNTS, *SWITCHES, *WORDS})
"""Arguments that a product translates or says it has not."""

DEAD_LETTER_WITHOUT_KEY = (
    f'{DEAD_LETTER_EXCHANGE} = "": with their own key dead letters would come back to the queue: add {DEAD_LETTER_KEY},'
    " the name of the queue that gets them"
)
DROPPED_ARE_NO_DEAD_LETTERS = (
    f"{DEAD_LETTER_EXCHANGE} = {{1!r}}: what {{0}} drops from a full queue is gone, and no dead letter: leave out"
    f" {MAX_LENGTH}, or use {OVERFLOW} = {REJECT_PUBLISH!r}"
)
"""Faults of several products: the second for a product, and for the exchange."""


@dataclass(frozen=True)
class QueueKind:
    """What a queue is declared as.

    Attributes:
        durable: the queue outlives a restart.
        arguments: of queue.declare (0-9-1), or what the product's own admin understands.
        exclusive: only the connection that declares it may use it.
        auto_delete: it is deleted when its last consumer has left.
    """

    durable: bool
    arguments: Mapping[str, Argument] = field(default_factory=dict)
    exclusive: bool = False
    auto_delete: bool = False


@dataclass(frozen=True)
class Exchange:
    """What hands out copies of messages to queues.

    Attributes:
        name: unique on the broker.
        type: how it chooses the queues.
        durable: it outlives a restart.
    """

    name: str
    type: ExchangeType
    durable: bool = False


@dataclass(frozen=True)
class DeclaredQueue:
    """A queue and what it is declared as; its name is unique on the broker."""

    name: str
    kind: QueueKind

    @property
    def dead_letter_queue(self) -> str | None:
        """The queue that gets its dead letters by the default exchange; None where it has none, or keys are kept."""
        arguments = self.kind.arguments
        return str(arguments[DEAD_LETTER_KEY]) if _is_default(arguments) and DEAD_LETTER_KEY in arguments else None


def _is_default(arguments: Mapping[str, Argument]) -> bool:
    return arguments.get(DEAD_LETTER_EXCHANGE) == ""


@dataclass(frozen=True)
class Binding:
    """Which messages of an exchange a queue gets a copy of.

    Attributes:
        exchange, queue: names of both.
        key: a routing key (direct), or a pattern (topic); fanout and headers do not look at it.
        arguments: of a headers exchange: the headers wanted, and `x-match`, `all` of them (by default) or `any`.
    """

    exchange: str
    queue: str
    key: str = ""
    arguments: Mapping[str, Argument] = field(default_factory=dict)


@dataclass(frozen=True)
class Topology:
    """All that one workload declares. Every queue is reached by the default exchange too, under its own name."""

    exchanges: tuple[Exchange, ...] = ()
    queues: tuple[DeclaredQueue, ...] = ()
    bindings: tuple[Binding, ...] = ()

    def alike(self) -> Iterator[tuple[str, tuple[DeclaredQueue, ...]]]:
        """Yield the queues of each kind, with what to call them: `queue 'q-0' and 99 more`."""
        kinds: dict[object, list[DeclaredQueue]] = {}
        for queue in self.queues:
            kind = queue.kind
            same = (kind.durable, kind.exclusive, kind.auto_delete, tuple(sorted(kind.arguments.items())))
            kinds.setdefault(same, []).append(queue)
        for queues in kinds.values():
            more = f" and {len(queues) - 1} more" if len(queues) > 1 else ""
            yield f"queue {queues[0].name!r}{more}", tuple(queues)

    def dead_letters_first(self) -> tuple[DeclaredQueue, ...]:
        """Return the queues so that each comes after the queue that gets its dead letters.

        Of those that form a circle, which `dead_letter_circles` tells, any may be first.
        """
        by_name, found = {one.name: one for one in self.queues}, dict[str, DeclaredQueue]()
        for queue in self.queues:
            chain: dict[str, DeclaredQueue] = {}
            one: DeclaredQueue | None = queue
            while one is not None and one.name not in chain and one.name not in found:
                chain[one.name] = one
                one = by_name.get(one.dead_letter_queue or "")
            found |= dict(reversed(chain.items()))
        return tuple(found.values())

    def dead_letter_circles(self) -> Iterator[str]:
        """Yield the name of each queue whose dead letters come back to it by way of the default exchange alone."""
        target = {one.name: one.dead_letter_queue for one in self.queues}
        for name, first in target.items():
            passed, at = set[str](), first
            while at is not None and at != name and at not in passed:
                passed.add(at)
                at = target.get(at)
            if at == name:
                yield name


@dataclass(frozen=True)
class FlowNeeds:
    """What a side of a flow asks of a broker beside what is declared.

    Attributes:
        expiration_ms: of producers: time to live that each message carries; None = none.
        reply: of producers: where replies to their calls come: to a queue of theirs, by direct reply-to, or to a node
            that the broker names; empty where nothing is called.
        requeue: of consumers: share of the messages that they give back.
    """

    expiration_ms: int | None = None
    reply: Literal["", "queue", "direct", "dynamic"] = ""
    requeue: float = 0.0


@dataclass(frozen=True)
class TakenMessage:
    """A message that was taken out of a queue, with what it tells of its death where it is a dead letter.

    Attributes:
        body: its bytes.
        reason: why it died, in the broker's word, such as `expired`; empty where it does not say.
        queue: where it died; empty where that is not told.
        count: how often it died there for that reason; 0 where that is not told.
    """

    body: bytes
    reason: str = ""
    queue: str = ""
    count: int = 0


def faults_anywhere(topology: Topology) -> Iterator[str]:
    """Yield what no broker takes: each names the queue, what was asked for, and what to do instead."""
    for whose, queues in topology.alike():
        kind = queues[0].kind
        if kind.exclusive:
            yield (
                f"{whose}: exclusive = true: only the connection that declares such a queue may consume from it, and"
                f" the queues of a topology are declared for all: use {SINGLE_CONSUMER} = true, which lets one consumer"
                " in at a time, or auto_delete = true"
            )
        yield from (f"{whose}: {fault}" for fault in _argument_faults(kind.arguments))
    exchanges, queue_names = {one.name for one in topology.exchanges}, {one.name for one in topology.queues}
    for binding in topology.bindings:
        whose = f"binding of {binding.queue!r} to {binding.exchange!r}"
        for what, name, known in (("exchange", binding.exchange, exchanges), ("queue", binding.queue, queue_names)):
            if name not in known:
                yield f"{whose}: the topology has no {what} {name!r}: add it, or correct the name"
        for name, value in binding.arguments.items():
            if isinstance(value, float):
                yield (
                    f"{whose}: {name} = {value!r}: brokers compare fractions in no way that can be relied on: use text"
                    " or a whole number"
                )


def _argument_faults(arguments: Mapping[str, Argument]) -> Iterator[str]:
    wanted = (
        *((name, int, f"a whole number{_UNITS.get(name, '')} from 0") for name in COUNTS),
        *((name, bool, "true or false") for name in SWITCHES),
        *((name, str, "text") for name in WORDS),
    )
    for name, kind, words in wanted:
        value = arguments.get(name)
        if value is not None and (type(value) is not kind or (kind is int and value < 0)):  # type: ignore[operator]
            yield f"{name} = {value!r}: it must be {words}"
    known = {name for name, _, _ in wanted}
    for name, value in arguments.items():
        if isinstance(value, float) and name not in known:
            yield f"{name} = {value!r}: no argument of a queue is a fraction: use a whole number or text"
    if DEAD_LETTER_KEY in arguments and DEAD_LETTER_EXCHANGE not in arguments:
        yield (
            f"{DEAD_LETTER_KEY} = {arguments[DEAD_LETTER_KEY]!r}: it says nothing without {DEAD_LETTER_EXCHANGE}: add"
            ' that one ("" is the default exchange, where the key is the name of a queue)'
        )
    overflow = arguments.get(OVERFLOW)
    if overflow is not None and not {MAX_LENGTH, MAX_LENGTH_BYTES} & arguments.keys():
        yield f"{OVERFLOW} = {overflow!r}: nothing overflows without {MAX_LENGTH} or {MAX_LENGTH_BYTES}: add one"
