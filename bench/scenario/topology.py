"""Shapes of work in a scenario: exchanges, queues, bindings, keys, what messages carry. Frozen, typed models.

Names are those of the scenario; on a broker each is preceded by a prefix of its trial's own
(`bench.topology.declared`).
"""

import re
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from brokers.settings import BrokerName, Frozen

MOST_KEYS = 10_000


def _argument(given: object) -> object:
    """Refuse what is none of the three in one sentence, where a union of types would tell three faults."""
    if isinstance(given, bool | int | str):
        return given
    message = f"{given!r}: use true or false, a whole number or a text"
    raise ValueError(message)


Argument = Annotated[bool | int | Annotated[str, Field(max_length=1_000)], BeforeValidator(_argument)]
"""Of a queue, a binding, a consumer, or a header of messages."""
RoutingKey = Annotated[str, Field(max_length=200)]
NUMBER = "{n}"
"""What stands for the number of a key or a binding, from 0 on."""
SEQ = "{seq}"
"""What stands for the number of a message in its properties."""


class ExchangeSettings(Frozen):
    """An exchange that is declared for each trial."""

    name: BrokerName
    """How bindings and workloads call it."""
    type: Literal["direct", "topic", "fanout", "headers"]
    """By what it routes: the key (`direct`), a pattern of it (`topic`), nothing (`fanout`), headers (`headers`)."""
    durable: bool = False
    """Whether it outlives a restart of the broker."""


class QueueSettings(Frozen):
    """A queue, or several alike, declared for each trial."""

    name: BrokerName
    """How bindings and consumers call it; several are numbered, from `<name>-0` on."""
    count: Annotated[int, Field(ge=1, le=10_000)] = 1
    """How many there are."""
    durable: bool | None = None
    """Whether it outlives a restart of the broker; by default as the workload's messages. A durable queue takes
    transient messages too."""
    exclusive: bool = False
    """Only its consumer's connection may use it, which declares it."""
    auto_delete: bool = False
    """It goes with its last consumer."""
    arguments: dict[str, Argument] = Field(default_factory=dict)
    """Arguments of queue.declare, such as `x-queue-type = "quorum"`, `x-message-ttl = 1000`, `x-max-length = 100`,
    `x-overflow = "reject-publish"`, `x-single-active-consumer = true`. `x-dead-letter-exchange` and
    `x-dead-letter-routing-key` name an exchange and a queue of this topology; dead letters that nobody consumes are
    counted at the end. By default those of the broker's settings; docs/brokers.md tells what each broker has."""


class BindingSettings(Frozen):
    """A binding, or several alike."""

    exchange: str
    """An entry of `exchanges`."""
    queue: str
    """An entry of `queues`; where that are several, each is bound."""
    key: RoutingKey = ""
    """Routing key or pattern, such as `orders.{n}.#`; `{n}` is the number of the binding, from 0 on."""
    count: Annotated[int, Field(ge=1, le=MOST_KEYS)] | None = None
    """How many bindings there are; number n is of queue n modulo their number. By default one a queue."""
    arguments: dict[str, Argument] = Field(default_factory=dict)
    """For `headers`: the headers that are wanted, and `x-match`: `all` or `any`, on RabbitMQ also `all-with-x` and
    `any-with-x`."""


class TopologySettings(Frozen):
    """What is declared for each trial, instead of plain queues."""

    exchanges: Annotated[tuple[ExchangeSettings, ...], Field(max_length=100)] = ()
    """Exchanges."""
    queues: Annotated[tuple[QueueSettings, ...], Field(max_length=1_000)] = ()
    """Queues."""
    bindings: Annotated[tuple[BindingSettings, ...], Field(max_length=1_000)] = ()
    """What makes messages of an exchange go to a queue."""


class Keys(Frozen):
    """The routing keys of a flow's messages."""

    key: RoutingKey | tuple[RoutingKey, ...] = NUMBER
    """A key, in which `{n}` is the number of each, from 0 on, or a list of keys."""
    count: Annotated[int, Field(ge=1, le=MOST_KEYS)] = 1
    """How many there are, where `key` is no list."""
    order: Literal["round-robin", "by-producer", "weights", "zipf"] = "round-robin"
    """Which a message has: each in turn, one a producer, or drawn by the trial's seed: by weights or by Zipf's law."""
    weights: Annotated[tuple[Annotated[float, Field(gt=0, le=1e9)], ...], Field(max_length=MOST_KEYS)] = ()
    """For `weights`: how often each comes, relative to the others."""
    exponent: Annotated[float, Field(ge=0, le=5)] = 1.0
    """For `zipf`: the k-th key comes as often as k to the power of minus this."""

    @model_validator(mode="after")
    def _fits_together(self) -> "Keys":
        given = len(self.texts)
        if isinstance(self.key, tuple) and not self.key:
            message = "key = []: name one key, or a list of at least one"
            raise ValueError(message)
        if isinstance(self.key, str) and self.count > 1 and NUMBER not in self.key:
            message = f"key = {self.key!r}: of {self.count} keys each needs its number: write {{n}} into it"
            raise ValueError(message)
        if isinstance(self.key, tuple) and self.count not in (1, given):
            message = f"count = {self.count}: the list `key` has {given} keys: leave `count` out"
            raise ValueError(message)
        if self.exponent != 1.0 and self.order != "zipf":
            message = f"exponent = {self.exponent:g}: only with order = 'zipf'"
            raise ValueError(message)
        if (self.order == "weights") != bool(self.weights) or (self.weights and len(self.weights) != given):
            message = f"order = {self.order!r} with {len(self.weights)} weights: `weights` needs one a key ({given})"
            raise ValueError(message)
        return self

    @property
    def texts(self) -> tuple[str, ...]:
        """The keys themselves."""
        if isinstance(self.key, tuple):
            return self.key
        return tuple(self.key.replace(NUMBER, str(number)) for number in range(self.count))


def _keys(given: object) -> object:
    """Take a text or a list as the keys that it holds."""
    return {"key": given} if isinstance(given, str | list | tuple) else given


AnyKeys = Annotated[Keys, BeforeValidator(_keys, json_schema_input_type=str | list[str] | Keys)]


class PropertySettings(Frozen):
    """What messages carry beside their body; in texts `{seq}` is the message's number."""

    headers: dict[str, Argument] = Field(default_factory=dict)
    """Headers (1.0: application properties)."""
    content_type: Annotated[str, Field(max_length=200)] = ""
    """Such as `application/json`."""
    content_encoding: Annotated[str, Field(max_length=200)] = ""
    """Such as `gzip`."""
    priority: Annotated[int, Field(ge=0, le=255)] | None = None
    """Priority, for queues that have some."""
    correlation_id: Annotated[str, Field(max_length=200)] = ""
    """Such as `call-{seq}`."""
    expiration: Annotated[int, Field(ge=0, le=10**9)] | None = None
    """Time to live of each message, milliseconds."""
    message_id: Annotated[str, Field(max_length=200)] = ""
    """Such as `{seq}`."""
    type: Annotated[str, Field(max_length=200)] = ""
    """Of the message, in the application's words."""
    app_id: Annotated[str, Field(max_length=200)] = ""
    """Of the application."""

    @model_validator(mode="after")
    def _names_what_there_is(self) -> "PropertySettings":
        texts = {f"headers.{name}": value for name, value in self.headers.items()}
        texts |= {name: value for name, value in dict(self).items() if isinstance(value, str)}
        wrong = [
            f"{name} = {value!r}: {word} stands for nothing: write {SEQ}, the message's number"
            for name, value in texts.items()
            if isinstance(value, str)
            for word in re.findall(r"{\w*}", value)
            if word != SEQ
        ]
        if wrong:
            raise ValueError("\n".join(wrong))
        return self


class BodySettings(Frozen):
    """What bodies hold behind their stamp."""

    content: Literal["zeros", "random", "compressible", "file", "json"] = "zeros"
    """Zeros, random octets, random octets of which a share is zeros, a file's octets, or a JSON array of records."""
    share: Annotated[float, Field(ge=0, le=1)] = 0.5
    """For `compressible`: the share of zeros."""
    file: Annotated[str, Field(min_length=1, max_length=4096)] | None = None
    """For `file`: its path."""
    stamp: Literal["full", "compact"] = "full"
    """What messages carry to be measured: 32 bytes, or 12, for sizes as other tools have them. A compact stamp tells no
    service latency, and is for queues of our own."""

    @model_validator(mode="after")
    def _fits_together(self) -> "BodySettings":
        if (self.content == "file") != (self.file is not None):
            message = f"content = {self.content!r}: `file` (a path) goes with content = 'file', and only with it"
            raise ValueError(message)
        return self
