"""A flow: a producer group, where its messages go, and their consumers. Frozen, typed models.

A workload is one flow, or holds several that run at once. What a flow does not say of
itself its workload says for all.
"""

from collections.abc import Iterator
from contextlib import suppress
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from bench.arrivals.stamp import COMPACT_SIZE
from bench.arrivals.stamp import SIZE as STAMP_SIZE
from bench.scenario.load import AnyLoad, InFlightLoad, RateLoad
from bench.scenario.profile import HIGHEST_RATE, Steps
from bench.scenario.topology import AnyKeys, Argument, BodySettings, PropertySettings
from bench.units import NS_PER_MS, NS_PER_S, Duration, PositiveDuration, at_most, format_duration, parse_size
from brokers.settings import BrokerName, Frozen

MOST_BYTES = 64 * 1024**2
BodySize = Annotated[
    int, BeforeValidator(parse_size, json_schema_input_type=int | str), Field(ge=COMPACT_SIZE, le=MOST_BYTES)
]
ConsumerRate = Annotated[float, Field(ge=0.001, le=HIGHEST_RATE)]
Count = Annotated[int, Field(ge=0, le=10_000)]
Think = Annotated[Duration, AfterValidator(at_most(3600 * NS_PER_S))]
Share = Annotated[float, Field(ge=0, le=1)]
Prefetch = Annotated[int, Field(ge=1, le=65_535)]
AckBatch = Annotated[int, Field(ge=0, le=65_535)]
Messages = Annotated[int, Field(ge=0, le=200_000_000)]
"""How many, in a run by count."""
Phases = Literal["both", "enqueue-dequeue", "enqueue"]
Pattern = Literal["queue", "fanout", "topic", "rpc", "openstack-rpc", "backlog"]


def _bytes(given: object) -> object:
    with suppress(ValueError):
        return parse_size(given)
    return None


class SizeShare(Frozen):
    """One of several sizes of messages."""

    size: BodySize
    """Bytes of a message body; the first are the stamp."""
    weight: Annotated[float, Field(gt=0, le=1e9)] = 1.0
    """How often it comes, relative to the others."""


class ConsumerGroup(Frozen):
    """Consumers that are alike, where a flow has several kinds."""

    count: Annotated[int, Field(ge=1, le=10_000)] = 1
    """How many they are."""
    queue: str | None = None
    """The entry of `topology.queues` that they consume; by default all that get messages of the flow."""
    prefetch: Prefetch | None = None
    """As of the flow, which says it for all."""
    ack_batch: AckBatch | None = None
    """As `prefetch`."""
    consumer_rate: ConsumerRate | None = None
    """As `prefetch`."""
    think: Think | None = None
    """As `prefetch`, such as `"10ms"`."""
    reject: Share | None = None
    """As `prefetch`."""
    requeue: Share | None = None
    """As `prefetch`."""


class FlowFields(Frozen):
    """What a flow may say of itself, and its workload for all."""

    name: BrokerName
    """How reports and folders call it."""
    pattern: Pattern = "queue"
    """The shape of the work in one word. `queue`: each message goes to one queue and one consumer. `fanout`: each of
    `queues` subscribers gets all. `topic`: a topic exchange with a binding for each of `keys`. `rpc`: producers call,
    consumers answer, the latency is the round trip. `openstack-rpc`: calls, casts, fan-out and notifications of an
    OpenStack control plane, as four flows. `backlog`: `messages` are put in, lie, and are taken out, while new work
    (`new_work`) passes through a queue of its own, as two flows."""
    size: BodySize = 100
    """Bytes of a message body, such as `100` or `"1KiB"`; the first 32 (12, see `body.stamp`) are the stamp. A list
    mixes several, such as `[{ size = 100, weight = 9 }, { size = 4096, weight = 1 }]`, drawn by the trial's seed; the
    largest is kept here."""
    sizes: Annotated[tuple[SizeShare, ...], Field(max_length=64)] = ()
    """The sizes that are mixed, as a list given to `size` is kept."""
    body: BodySettings = BodySettings()
    """What bodies hold."""
    properties: PropertySettings = PropertySettings()
    """Properties and headers of messages."""
    durable: bool = False
    """Durable queue and persistent messages."""
    exchange: str = ""
    """Entry of `topology.exchanges` to which producers publish; by default the default exchange. Each key must be taken
    by a binding, or its messages reach nobody."""
    keys: AnyKeys | None = None
    """Routing keys: a text such as `orders.{n}.eu`, a list, or a table that says how many and in which order. By
    default each producer has a queue, dealt in turn."""
    messages: Messages = 0
    """How many messages are sent, over all producers, instead of for how long: every one of them is measured, and the
    trial ends when all are received. 0: for `duration`."""
    phases: Phases = "both"
    """With `messages`. `both`: producers and consumers at once. `enqueue-dequeue`: consumers are let in a moment after
    every message is confirmed. `enqueue`: nobody consumes (`consumers = 0`)."""
    producers: Annotated[int, Field(ge=1, le=10_000)] = 1
    """Producers, each with a connection of its own."""
    consumers: Count = 1
    """Consumers, each with a connection of its own. `0`: nobody consumes, and confirms are what is measured. A list
    tells of several kinds, such as `[{ count = 8 }, { count = 2, think = "10ms", prefetch = 1 }]`; their number is
    kept here."""
    groups: Annotated[tuple[ConsumerGroup, ...], Field(max_length=64)] = ()
    """The kinds of consumers, as a list given to `consumers` is kept."""
    consume: str = ""
    """Entry of `topology.queues` that consumers use; by default all that get messages of the flow. Each queue needs a
    consumer (of each kind, where there are several), and no queue may have those of two flows."""
    lanes_per_connection: Annotated[int, Field(ge=1, le=2_000)] = 1
    """Producers, and consumers, that share a connection, with a channel (1.0: a link) each; compiled drivers only."""
    queues: Annotated[int, Field(ge=1, le=10_000)] = 1
    """Queues, without a topology of its own; producers and consumers are dealt over them in turn. With `fanout` and
    `topic` each is a subscriber's."""
    workers: Annotated[int, Field(ge=1, le=256)] = 1
    """Processes for the producers, and as many for the consumers."""
    confirm_window: Annotated[int, Field(ge=0, le=1_000_000)] = 256
    """Unconfirmed (1.0: unsettled) messages a producer may have; 0 = no confirms (pre-settled)."""
    prefetch: Prefetch = 1_000
    """Messages a consumer may hold unacknowledged (0-9-1 prefetch, 1.0 credit)."""
    ack_batch: AckBatch = 64
    """Messages acknowledged at once, at most `prefetch`; 0 = automatic acknowledgement (pre-settled)."""
    consumer_rate: ConsumerRate | None = None
    """Messages a second that a consumer takes at most, to see what slow consumers do to a broker; by default as many
    as come. It takes what it may hold at once, then rests as long as that takes: keep `prefetch` small."""
    think: Think = 0
    """How long a consumer works on each message, one after the other: the same as `consumer_rate`, said by the time.
    With `rpc`, how long after a request came it is answered; a responder works on many at once."""
    reject: Share = 0.0
    """Share of the messages that consumers reject for good, such as `0.01`; they are dead letters where the queue has a
    dead-letter exchange, else gone. They count as received, not as lost."""
    requeue: Share = 0.0
    """Share of the messages that consumers give back when they come for the first time."""
    exclusive_consumer: bool = False
    """Whether a consumer asks for its queue alone (0-9-1)."""
    consumer_arguments: dict[str, Argument] = Field(default_factory=dict)
    """Arguments of basic.consume (1.0: filters), such as `x-priority = 10` or `x-stream-offset = "first"`."""
    reply: Literal["queue", "direct", "dynamic"] = "queue"
    """With `rpc`, where replies go: a queue for each requester, direct reply-to (0-9-1, where a broker has it), or a
    node that the broker names (0-9-1: an exclusive queue; 1.0: a dynamic node)."""
    reply_size: BodySize | None = None
    """With `rpc`, bytes of a reply, such as `100` or `"1KiB"`; by default `size`."""
    reply_timeout: PositiveDuration = 30 * NS_PER_S
    """With `rpc`, when a call has timed out: a reply that comes later is counted as late."""
    producer_driver: str | None = None
    """Driver of the producers, where it is not the target's: so 0-9-1 may publish what 1.0 consumes."""
    consumer_driver: str | None = None
    """Driver of the consumers, where it is not the target's."""
    received_at: Literal["kernel", "read"] = "kernel"
    """When a message counts as received: `kernel`, when the kernel had its last segment, where that can be known
    (compiled drivers, over plain TCP; else as `read`); `read`, when the consumer read it, as client libraries tell it.
    A slow consumer (`consumer_rate`) always counts what it took."""
    spin: Annotated[Duration, AfterValidator(at_most(1 * NS_PER_MS))] = 0
    """Longest busy wait before a message is due, after the sleep; costs CPU, saves wake-up lateness. At most 1 ms,
    for a rate; on virtual time there is nothing to save."""
    coalesce: Annotated[Duration, AfterValidator(at_most(10 * NS_PER_MS))] = 0
    """How long a due message may wait so that several go out in one write; it is recorded as send lag; saves CPU
    at high rates. At most 10 ms, for a rate."""

    @model_validator(mode="before")
    @classmethod
    def _list_of_sizes(cls, given: object) -> object:
        """Take a list given to `size` as the sizes to mix; the largest of them is stored as the size."""
        if not isinstance(given, dict) or not isinstance(given.get("size"), list | tuple):
            return given
        sizes = tuple(given["size"])
        if not sizes:
            message = "size = []: name one size, or a list of sizes with weights"
            raise ValueError(message)
        # What is no size is told of its own entry.
        known = [_bytes(one.get("size")) for one in sizes if isinstance(one, dict)]
        largest = max((size for size in known if type(size) is int), default=STAMP_SIZE)
        return given | {"size": min(max(largest, COMPACT_SIZE), MOST_BYTES), "sizes": sizes}

    @model_validator(mode="before")
    @classmethod
    def _list_of_consumers(cls, given: object) -> object:
        """Take a list given to `consumers` as the kinds that there are; their number is stored as the consumers."""
        if not isinstance(given, dict) or not isinstance(given.get("consumers"), list | tuple):
            return given
        groups = tuple(given["consumers"])
        if not groups:
            message = "consumers = []: name a number, or a list of at least one kind"
            raise ValueError(message)
        counts = [one.get("count", 1) for one in groups if isinstance(one, dict)]
        total = sum(count for count in counts if type(count) is int and count > 0)
        return given | {"consumers": min(max(total, 1), 10_000), "groups": groups}

    @property
    def fills(self) -> bool:
        """Whether messages are put in while nobody takes any out."""
        return self.phases != "both"

    @property
    def taken_rate(self) -> float | None:
        """Messages a second that a consumer takes at most; None where it takes all that come."""
        if self.consumer_rate is None and self.think and self.pattern != "rpc":
            return NS_PER_S / self.think
        return self.consumer_rate

    @property
    def kinds(self) -> "tuple[Self, ...]":
        """Return the flow as each kind of its consumers sees it: one that holds nothing but these; none for none."""
        if not self.groups:
            return (self,) if self.consumers else ()
        return tuple(self._kind(group) for group in self.groups)

    def _kind(self, group: ConsumerGroup) -> Self:
        said = {name: value for name, value in dict(group).items() if value is not None}
        queue = said.pop("queue", self.consume)
        return self.model_copy(update={"groups": (), "consumers": said.pop("count"), "consume": queue} | said)


class Flow(FlowFields):
    """One of several flows that run at once; what it does not say is as its workload says."""

    load: AnyLoad | None = None
    """When messages are sent."""
    background: bool = False
    """Whether it is there for the others' sake: reported apart, never judged."""

    @model_serializer(mode="wrap")
    def _what_it_says(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Write what it says of itself alone: the rest is its workload's, when it is read again too."""
        return {name: value for name, value in write(self).items() if name in self.model_fields_set}


def flow_faults(flow: FlowFields, load: AnyLoad, duration: int) -> Iterator[str]:
    """Yield what does not fit within one flow: field, value, what is allowed."""
    yield from (
        f"{name} = {format_duration(given)}: only for a load of kind 'rate': in a closed loop nothing is due"
        for name, given in (("spin", flow.spin), ("coalesce", flow.coalesce))
        if given and isinstance(load, InFlightLoad)
    )
    yield from _message_faults(flow)
    if flow.groups and flow.consumers != sum(group.count for group in flow.groups):
        yield f"consumers = {flow.consumers}: of several kinds it is their number: give it the list"
    profile = load.profile if isinstance(load, RateLoad) else None
    if isinstance(profile, Steps) and profile.length_ns > duration:
        yield (
            f"load.profile.steps last {format_duration(profile.length_ns)} together: at most the duration"
            f" ({format_duration(duration)})"
        )
    if not flow.consumers and isinstance(load, InFlightLoad) and not flow.fills:
        yield "consumers = 0: a load of kind 'in_flight' is bounded by what consumers took: use kind 'rate'"
    yield from _count_faults(flow, load)
    yield from _number_faults(flow)


def _count_faults(flow: FlowFields, load: AnyLoad) -> Iterator[str]:
    """Yield what does not go with a number of messages, or with phases."""
    if flow.messages and isinstance(load, RateLoad):
        if load.profile is not None:
            yield f"messages = {flow.messages}: a profile lasts for a duration: leave one of them out"
        if load.late == "drop":
            yield f"messages = {flow.messages}: all are sent: leave load.late = 'drop' out"
    if not flow.fills:
        return
    said = f"phases = {flow.phases!r}"
    if not flow.messages:
        yield f"{said}: only with `messages`"
    if isinstance(load, RateLoad):
        yield f"{said}: a phase is as fast as the broker lets it be: use a load of kind 'in_flight'"
    if not flow.confirm_window:
        yield f"{said}: while nobody consumes, only confirms bound what is in flight: use confirm_window = 1 or more"
    if flow.pattern == "rpc":
        yield f"{said}: a call needs somebody who answers: use 'both'"
    if (flow.phases == "enqueue") == bool(flow.consumers):
        needs = "nobody consumes: use consumers = 0" if flow.consumers else "somebody must consume: use 1 or more"
        yield f"consumers = {flow.consumers}: with {said} {needs}"


def _message_faults(flow: FlowFields) -> Iterator[str]:
    if flow.sizes and flow.size != max(one.size for one in flow.sizes):
        yield f"size = {flow.size}: of several sizes it is the largest: leave it out, or give it the list"
    sizes = (flow.size, *(one.size for one in flow.sizes), *([flow.reply_size] if flow.reply_size else []))
    if flow.body.stamp == "full" and min(sizes) < STAMP_SIZE:
        yield (
            f"size = {min(sizes)}: at least {STAMP_SIZE}, the stamp; or from {COMPACT_SIZE} on with"
            " body.stamp = 'compact'"
        )
    if flow.body.stamp == "compact" and flow.pattern == "rpc":
        yield "body.stamp = 'compact': a call needs the full stamp: leave it out"
    if flow.reply_size is not None and flow.pattern != "rpc":
        yield f"reply_size = {flow.reply_size}: only with pattern = 'rpc'"


def kind_faults(kind: FlowFields) -> Iterator[str]:
    """Yield what does not fit within one kind of consumers, which is a flow that has no other."""
    if kind.ack_batch > kind.prefetch:
        yield (
            f"ack_batch = {kind.ack_batch}: at most the prefetch ({kind.prefetch}), or no acknowledgement is ever due:"
            f" add ack_batch = {kind.prefetch}"
        )
    if (kind.reject or kind.requeue) and not kind.ack_batch:
        yield "reject, requeue: with ack_batch = 0 nothing is acknowledged: use 1 or more"
    if kind.reject + kind.requeue > 1:
        yield f"reject = {kind.reject:g} and requeue = {kind.requeue:g}: together at most 1"
    rate = kind.consumer_rate
    said = f"consumer_rate = {rate:g}" if rate else f"think = {format_duration(kind.think)}"
    if rate and kind.think:
        yield f"think = {format_duration(kind.think)}: it says the same as consumer_rate = {rate:g}: leave one out"
    if kind.pattern == "rpc":
        yield from (
            f"{name} = {share:g}: with pattern = 'rpc' every call is answered: use 0, or leave it out"
            for name, share in (("reject", kind.reject), ("requeue", kind.requeue))
            if share
        )
        if rate:
            yield f"{said}: a responder has a `think` time: leave it out"
    elif rate or kind.think:
        yield from _slow_faults(kind, rate or NS_PER_S / kind.think, said)


def _slow_faults(kind: FlowFields, rate: float, said: str) -> Iterator[str]:
    if not kind.ack_batch:
        yield f"{said}: with ack_batch = 0 nothing bounds what a consumer is sent: use 1"
    if kind.prefetch > max(rate, 1):
        yield (
            f"prefetch = {kind.prefetch}: at most a second's messages ({max(int(rate), 1)}) of {said}, as it rests"
            " after what it may hold at once"
        )


def _number_faults(flow: FlowFields) -> Iterator[str]:
    plain = flow.pattern in ("queue", "rpc") and not flow.exchange and flow.keys is None
    least = min(flow.producers, flow.consumers or flow.producers) if plain else flow.consumers or flow.queues
    if flow.queues > least:
        needs = "a producer and a consumer" if plain else "a consumer"
        yield (
            f"queues = {flow.queues}: each needs {needs} (producers = {flow.producers}, consumers = {flow.consumers})"
        )
    counts = [group.count for group in flow.groups] or [flow.consumers]
    if flow.producers % flow.workers or any(count % flow.workers for count in counts):
        yield (
            f"workers = {flow.workers}: must divide producers ({flow.producers}) and consumers"
            f" ({', '.join(map(str, counts))})"
        )
    if flow.pattern == "rpc" and not flow.consumers:
        yield "consumers = 0: with pattern = 'rpc' somebody must answer: name the responders"
