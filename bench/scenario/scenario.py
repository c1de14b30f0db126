"""What to measure: the scenario file as frozen, typed models.

A scenario asks a question of some targets under some workloads by a plan. Everything a
user can write is here, with its meaning, unit and bounds; the reference in
`docs/scenario.md` and the JSON Schema are generated from it. Reading files and collecting
faults is the business of `bench.scenario.loading`.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Literal, Union

import numpy as np
from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from bench.arrivals.sizes import Sizes
from bench.arrivals.stamp import SIZE as STAMP_SIZE
from bench.scenario.absolute_limit import AbsoluteLimit as AbsoluteLimit  # noqa: PLC0414  (a scenario is read from here)
from bench.scenario.absolute_limit import MetricName as MetricName  # noqa: PLC0414
from bench.scenario.memory_broker import MemoryBroker as MemoryBroker  # noqa: PLC0414
from bench.scenario.profile import HIGHEST_RATE, Profile, Rate, Steps, cumulative
from bench.scenario.warmup import WarmUp as WarmUp  # noqa: PLC0414
from bench.units import NS_PER_MS, NS_PER_S, Duration, PositiveDuration, format_duration, parse_size
from brokers.registry import settings_models
from brokers.settings import BrokerName, BrokerSettings, Frozen


def _whole_seconds(ns: int) -> int:
    if ns % NS_PER_S:
        message = f"{ns / NS_PER_S} s: whole seconds, as latency is logged by the second"
        raise ValueError(message)
    return ns


def _at_most(most_ns: int) -> Callable[[int], int]:
    def check(ns: int) -> int:
        if ns > most_ns:
            message = f"{format_duration(ns)}: at most {format_duration(most_ns)}"
            raise ValueError(message)
        return ns

    return check


def _bytes(given: object) -> object:
    with suppress(ValueError):
        return parse_size(given)
    return None


def _as_list(given: object) -> object:
    return (given,) if isinstance(given, int) else given


MOST_BYTES = 64 * 1024**2
BodySize = Annotated[
    int, BeforeValidator(parse_size, json_schema_input_type=int | str), Field(ge=STAMP_SIZE, le=MOST_BYTES)
]
WholeSeconds = Annotated[PositiveDuration, AfterValidator(_whole_seconds)]
Probability = Annotated[float, Field(ge=0, le=1)]


if TYPE_CHECKING:
    AnyBroker = BrokerSettings | MemoryBroker
else:  # the products that are installed
    AnyBroker = Annotated[Union[(*settings_models(), MemoryBroker)], Field(discriminator="kind")]


class Target(Frozen):
    """One way to use one broker: the thing that a row of the report is about."""

    name: BrokerName
    """How reports and folders call it."""
    label: Annotated[str, Field(max_length=80)] | None = None
    """Name for people, as reports print it; by default made of broker and protocol."""
    broker: str
    """Name of an entry of `brokers`."""
    protocol: Literal["amqp091", "amqp10", "memory"]
    """`amqp091` (AMQP 0-9-1), `amqp10` (AMQP 1.0), or `memory`."""
    driver: str
    """How workers speak, such as `wire091` (0-9-1), `wire10` (1.0) or `memory`; `bench drivers` lists what there is."""
    options: dict[str, str] = Field(default_factory=dict)
    """What only this driver understands, by name; `bench drivers` tells."""


class RateLoad(Frozen):
    """Open loop: messages are due at times fixed before the run, whatever the broker does."""

    kind: Literal["rate"]
    """`rate`."""
    rate: Rate
    """Messages a second, over all producers; with a `profile`, those of the warm-up. A list is a sweep."""
    arrivals: Literal["constant", "poisson"] = "constant"
    """Even spacing, or a seeded Poisson process."""
    profile: Profile | None = None
    """How the rate changes over the measured part; by default it does not."""
    late: Literal["send", "drop"] = "send"
    """What becomes of messages that the driver has no room for (window, credit, socket) when they are due: they are
    sent late, or dropped and counted after `late_after`. One that is late for another reason is sent."""
    late_after: Annotated[PositiveDuration, AfterValidator(_at_most(3600 * NS_PER_S))] = 1 * NS_PER_S
    """How long a message may wait for room before it is dropped, for `late = "drop"`."""
    capacity: Rate | None = None
    """Messages a second that each target does at least, which tells how long a queue takes to drain after the host was
    away; by default a pilot of 2 s finds it before the first trial. Of a broker that someone else runs nine tenths are
    taken to be in use."""
    max_backlog: Annotated[int, Field(ge=1)] = 100_000
    """Messages due and not yet received at which the trial ends as overloaded."""
    stall_after: PositiveDuration = 5 * NS_PER_S
    """Time in which messages are outstanding and none is received or confirmed, after which the trial ends as
    stalled."""


Bound = Annotated[int, Field(ge=1, le=1_000_000)]
Bounds = Annotated[tuple[Bound, ...], Field(min_length=1)]


class InFlightLoad(Frozen):
    """Closed loop: a bounded number of messages between send and receive."""

    kind: Literal["in_flight"]
    """`in_flight`."""
    in_flight: Annotated[Bounds, BeforeValidator(_as_list, json_schema_input_type=Bound | Bounds)]
    """The bound, over all producers. A list of several is a sweep."""
    stall_after: PositiveDuration = 5 * NS_PER_S
    """As of a rate."""


class SizeShare(Frozen):
    """One of several sizes of messages."""

    size: BodySize
    """Bytes of a message body; the first 32 are the stamp."""
    weight: Annotated[float, Field(gt=0, le=1e9)] = 1.0
    """How often it comes, relative to the others."""


class Workload(Frozen):
    """What producers and consumers do: load, sizes, durability, settlement, concurrency."""

    name: BrokerName
    """How reports and folders call it."""
    description: Annotated[str, Field(max_length=1000)] = ""
    """A sentence for the report."""
    only: tuple[str, ...] = ()
    """Names of the targets it is for; all where empty."""
    part_of: str = ""
    """What reports call the sweep, the curve or the search that it is a part of. Never given: a sweep makes such
    workloads, and so does a search."""
    at: dict[str, bool | int | float | str] = Field(default_factory=dict)
    """Of a point of a sweep: the value of each swept field, by its path. Never given."""
    load: Annotated[RateLoad | InFlightLoad, Field(discriminator="kind")]
    """When messages are sent."""
    size: BodySize = 100
    """Bytes of a message body, such as `100` or `"1KiB"`; the first 32 are the stamp. A list mixes several, such as
    `[{ size = 100, weight = 9 }, { size = 4096, weight = 1 }]`, drawn by the trial's seed; the largest is kept here."""
    sizes: Annotated[tuple[SizeShare, ...], Field(max_length=64)] = ()
    """The sizes that are mixed, as a list given to `size` is kept."""
    durable: bool = False
    """Durable queue and persistent messages."""
    producers: Annotated[int, Field(ge=1, le=10_000)] = 1
    """Producers, each with a connection of its own."""
    consumers: Annotated[int, Field(ge=1, le=10_000)] = 1
    """Consumers, each with a connection of its own."""
    lanes_per_connection: Annotated[int, Field(ge=1, le=2_000)] = 1
    """Producers, and consumers, that share a connection, with a channel (1.0: a link) each; compiled drivers only."""
    queues: Annotated[int, Field(ge=1, le=10_000)] = 1
    """Queues; producers and consumers are dealt over them in turn."""
    workers: Annotated[int, Field(ge=1, le=256)] = 1
    """Processes for the producers, and as many for the consumers."""
    confirm_window: Annotated[int, Field(ge=0, le=1_000_000)] = 256
    """Unconfirmed (1.0: unsettled) messages a producer may have; 0 = no confirms (pre-settled)."""
    prefetch: Annotated[int, Field(ge=1, le=65_535)] = 1_000
    """Messages a consumer may hold unacknowledged (0-9-1 prefetch, 1.0 credit)."""
    ack_batch: Annotated[int, Field(ge=0, le=65_535)] = 64
    """Messages acknowledged at once; 0 = automatic acknowledgement (pre-settled)."""
    consumer_rate: Annotated[float, Field(ge=0.001, le=HIGHEST_RATE)] | None = None
    """Messages a second that a consumer takes at most, to see what slow consumers do to a broker; by default as many
    as come. It takes what it may hold at once, then rests as long as that takes: keep `prefetch` small."""
    received_at: Literal["kernel", "read"] = "kernel"
    """When a message counts as received: `kernel`, when the kernel had its last segment, where that can be known
    (compiled drivers, over plain TCP; else as `read`); `read`, when the consumer read it, as client libraries tell it.
    A slow consumer (`consumer_rate`) always counts what it took."""
    duration: WholeSeconds = 30 * NS_PER_S
    """Length of the measured part, in whole seconds."""
    spin: Annotated[Duration, AfterValidator(_at_most(1 * NS_PER_MS))] = 0
    """Longest busy wait before a message is due, after the sleep; costs CPU, saves wake-up lateness. At most 1 ms,
    for a rate; on virtual time there is nothing to save."""
    coalesce: Annotated[Duration, AfterValidator(_at_most(10 * NS_PER_MS))] = 0
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
        return given | {"size": min(max(largest, STAMP_SIZE), MOST_BYTES), "sizes": sizes}

    @model_validator(mode="after")
    def _fits_together(self) -> "Workload":
        faults = [
            f"{name} = {format_duration(given)}: only for a load of kind 'rate': in a closed loop nothing is due"
            for name, given in (("spin", self.spin), ("coalesce", self.coalesce))
            if given and isinstance(self.load, InFlightLoad)
        ]
        if self.sizes and self.size != max(one.size for one in self.sizes):
            faults.append(f"size = {self.size}: of several sizes it is the largest: leave it out, or give it the list")
        if self.ack_batch > self.prefetch:
            faults.append(
                f"ack_batch = {self.ack_batch}: at most the prefetch ({self.prefetch}),"
                " or no acknowledgement is ever due"
            )
        faults += self._slow_consumer_faults()
        profile = self.load.profile if isinstance(self.load, RateLoad) else None
        if isinstance(profile, Steps) and profile.length_ns > self.duration:
            faults.append(
                f"load.profile.steps last {format_duration(profile.length_ns)} together: at most the duration"
                f" ({format_duration(self.duration)})"
            )
        if self.queues > min(self.producers, self.consumers):
            faults.append(
                f"queues = {self.queues}: each needs a producer and a consumer"
                f" (producers = {self.producers}, consumers = {self.consumers})"
            )
        if self.producers % self.workers or self.consumers % self.workers:
            faults.append(
                f"workers = {self.workers}: must divide producers ({self.producers}) and consumers ({self.consumers})"
            )
        if faults:
            raise ValueError("; ".join(faults))
        return self

    def _slow_consumer_faults(self) -> list[str]:
        rate = self.consumer_rate
        if rate is None:
            return []
        faults = []
        if not self.ack_batch:
            faults.append(f"consumer_rate = {rate:g}: with ack_batch = 0 nothing bounds what a consumer is sent: use 1")
        if self.prefetch > max(rate, 1):
            faults.append(
                f"prefetch = {self.prefetch}: at most a second's messages ({max(int(rate), 1)}) of consumer_rate ="
                f" {rate:g}, as it rests after what it may hold at once"
            )
        return faults

    def mix(self, seed: int) -> Sizes | None:
        """Return which size each message of a trial has; None where all have one."""
        if len(self.sizes) < 2:  # noqa: PLR2004  (a mix of one is none)
            return None
        return Sizes(tuple(one.size for one in self.sizes), tuple(one.weight for one in self.sizes), seed)

    @property
    def closed(self) -> bool:
        """Whether the load is a closed loop."""
        return isinstance(self.load, InFlightLoad)

    @property
    def mean_rate(self) -> float | None:
        """Mean messages due a second in the measured part; None for a closed loop."""
        if isinstance(self.load, InFlightLoad):
            return None
        return self.load.rate if self.load.profile is None else self.due_by(self.duration) * NS_PER_S / self.duration

    def due_by(self, at_ns: int) -> float:
        """Return how many messages are due in the first `at_ns` of the measured part; 0 for a closed loop."""
        load = self.load
        if isinstance(load, InFlightLoad):
            return 0.0
        if load.profile is None:
            return load.rate * at_ns / NS_PER_S
        return float(cumulative(load.profile, self.duration).count(np.array([at_ns], np.float64))[0])

    def is_for(self, target: str) -> bool:
        """Return whether it is done to a target, by the target's name."""
        return not self.only or target in self.only

    def is_among(self, names: Sequence[str]) -> bool:
        """Return whether it is named, or the sweep that it is a point of."""
        return self.name in names or self.part_of in names


class Plan(Frozen):
    """How often, in which order, and on how fresh a broker."""

    repetitions: Annotated[int, Field(ge=1, le=10_000)] = 10
    """Trials of each target and workload."""
    restart: Literal["trial", "block", "run"] = "block"
    """When brokers are started anew: for each trial, each block (repetition), or once a run.

    `run` where a broker is `external`: it is not ours to restart, and all are treated alike."""
    warm_up: WarmUp = WarmUp()
    """When a broker counts as warm."""
    drain: PositiveDuration = 10 * NS_PER_S
    """Longest wait, after the last send, for messages still on their way."""
    extend: Annotated[float, Field(ge=1, le=10)] = 2.0
    """How many times its duration a trial may last, at most, until it has that much time in which the host was not
    away."""
    spare: Annotated[float, Field(ge=0, le=5)] = 0.5
    """How many more trials, as a share of those planned, may make up for some in which the host was away for too long:
    each time all trials of that workload and repetition, so that pairs stay whole."""
    idle: bool = True
    """Whether to measure what each broker costs idle, once a run, before its first trial: CPU time, memory, and what
    100 connections and 100 queues take; about 6 s each."""


class Quick(Frozen):
    """What `--quick` changes: a look at the shape of a result, never a verdict."""

    workloads: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    """Names of the workloads kept; all where absent."""
    repetitions: Annotated[int, Field(ge=1)] = 4
    """Replaces `plan.repetitions`."""
    restart: Literal["trial", "block", "run"] = "run"
    """Replaces `plan.restart`."""
    duration: WholeSeconds = 5 * NS_PER_S
    """Replaces the `duration` of each workload; whole seconds."""
    warm_up: WarmUp = WarmUp().model_copy(
        update={"window": 5 * NS_PER_S, "at_most": 45 * NS_PER_S, "settle": 1 * NS_PER_S}
    )
    """Replaces `plan.warm_up`."""
    idle: bool = False
    """Replaces `plan.idle`."""


class Scenario(Frozen):
    """One question, and all it takes to answer it."""

    name: BrokerName
    """Short name; the run's folder begins with it."""
    title: Annotated[str, Field(min_length=1, max_length=200)]
    """Title of the report."""
    question: Annotated[str, Field(min_length=1, max_length=500)]
    """What the run is to answer, as one sentence."""
    subject: Literal["broker", "client"] = "broker"
    """What is measured: a client that runs at its own limit makes a trial of brokers invalid, and is a result where
    clients are the subject."""
    brokers: Annotated[
        tuple[AnyBroker, ...],
        Field(min_length=1),
    ]
    """The systems under test."""
    targets: Annotated[tuple[Target, ...], Field(min_length=1)]
    """The ways to use them that are compared."""
    workloads: Annotated[tuple[Workload, ...], Field(min_length=1)]
    """What is done to each target."""
    plan: Plan = Plan()
    """Repetitions, order, restarts, warm-up."""
    quick: Quick = Quick()
    """What `--quick` changes."""
    limits: Annotated[tuple[AbsoluteLimit, ...], Field(max_length=1000)] = ()
    """What figures must keep to, whatever other runs had."""

    @property
    def has_brokers(self) -> bool:
        """Whether a program is measured, on a host; a scripted memory broker is none."""
        return any(not isinstance(broker, MemoryBroker) for broker in self.brokers)

    def broker(self, name: str) -> BrokerSettings | MemoryBroker:
        """Return the broker of that name; raise KeyError where there is none."""
        for broker in self.brokers:
            if broker.name == name:
                return broker
        raise KeyError(name)
