"""What to measure: the scenario file as frozen, typed models.

A scenario asks a question of some targets under some workloads by a plan. Everything a
user can write is here, with its meaning, unit and bounds; the reference in
`docs/scenario.md` and the JSON Schema are generated from it. Reading files and collecting
faults is the business of `bench.scenario.loading`.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union

import numpy as np
from pydantic import (
    AfterValidator,
    Field,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    model_serializer,
    model_validator,
)

from bench.arrivals.sizes import Sizes
from bench.scenario.absolute_limit import AbsoluteLimit as AbsoluteLimit  # noqa: PLC0414  (a scenario is read from here)
from bench.scenario.absolute_limit import MetricName as MetricName  # noqa: PLC0414
from bench.scenario.backlog import backlog
from bench.scenario.control_plane import IDLE, control_plane, resting
from bench.scenario.flow import Flow, FlowFields, Messages, flow_faults, kind_faults
from bench.scenario.load import AnyLoad
from bench.scenario.load import InFlightLoad as InFlightLoad  # noqa: PLC0414
from bench.scenario.load import RateLoad as RateLoad  # noqa: PLC0414
from bench.scenario.memory_broker import MemoryBroker as MemoryBroker  # noqa: PLC0414
from bench.scenario.profile import Rate, cumulative
from bench.scenario.topology import TopologySettings
from bench.scenario.warmup import WarmUp as WarmUp  # noqa: PLC0414
from bench.topology.layout import Layout, TopologyError, lay_out, plain_queues
from bench.units import NS_PER_S, PositiveDuration, format_duration
from brokers.cpu_numbers import AnyCpuNumbers
from brokers.registry import settings_models
from brokers.settings import BrokerName, BrokerSettings, Frozen

MOST_FLOWS = 32
A_PART = {"workload": "a part"}
"""Context in which a workload is read that is one flow, with one kind of consumers, of one that was checked."""


def _whole_seconds(ns: int) -> int:
    if ns % NS_PER_S:
        message = f"{ns / NS_PER_S} s: whole seconds, as latency is logged by the second"
        raise ValueError(message)
    return ns


WholeSeconds = Annotated[PositiveDuration, AfterValidator(_whole_seconds)]


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


class Workload(FlowFields):
    """What producers and consumers do: load, sizes, durability, settlement, concurrency, routing."""

    description: Annotated[str, Field(max_length=1000)] = ""
    """A sentence for the report."""
    only: tuple[str, ...] = ()
    """Names of the targets it is for; all where empty."""
    part_of: str = ""
    """What reports call the sweep, the curve or the search that it is a part of. Never given: a sweep makes such
    workloads, and so does a search."""
    at: dict[str, bool | int | float | str] = Field(default_factory=dict)
    """Of a point of a sweep: the value of each swept field, by its path. Never given."""
    load: AnyLoad
    """When messages are sent."""
    duration: WholeSeconds = 30 * NS_PER_S
    """Length of the measured part, in whole seconds; not with `messages`."""
    new_work: Rate = 100.0
    """With pattern `backlog`, messages a second of the new work beside it."""
    topology: TopologySettings | None = None
    """Exchanges, queues and bindings, where plain queues will not do."""
    flows: Annotated[tuple[Flow, ...], Field(max_length=MOST_FLOWS)] = ()
    """Several flows that run at once, each with producers, consumers and queues of its own; by default the workload is
    one. A flow says what is different: all else, `load` too, is as the workload has it."""
    idle_connections: Annotated[int, Field(ge=0, le=10_000)] = 0
    """Connections that are open beside and hear of something now and then, over at most 1,000 queues: one more flow, in
    the background."""
    phase: Literal["", "enqueue", "dequeue"] = ""
    """The phase that it is, where reports look at one alone. Never given."""
    flow_of: str = ""
    """The workload whose flow it is, where reports look at a flow alone. Never given."""
    flow: str = ""
    """The flow's name there. Never given."""
    background: bool = False
    """Whether it is such a flow, and there for the others' sake. Never given."""

    @model_validator(mode="before")
    @classmethod
    def _flows_of_a_pattern(cls, given: object) -> object:
        """Take a pattern of several flows as these, and connections that rest as one more."""
        if not isinstance(given, dict):
            return given
        flows = list(given.get("flows") or ())
        if given.get("pattern") == "openstack-rpc" and not flows:
            flows = control_plane(given)
        if given.get("pattern") == "backlog" and not flows:
            flows = backlog(given)
        rest = given.get("idle_connections")
        if type(rest) is int and rest > 0 and all(isinstance(one, dict) and one.get("name") != IDLE for one in flows):
            flows = [*(flows or [{"name": "work"}]), resting(rest)]
        return given | {"flows": flows} if flows else given

    @model_validator(mode="after")
    def _fits_together(self, info: ValidationInfo) -> "Workload":
        if info.context == A_PART:
            return self
        faults: list[str] = []
        for part in self.parts():
            name = f"flow {part.name!r}: " if self.flows else ""
            if part.pattern == "openstack-rpc":
                faults.append(
                    f"{name}pattern = 'openstack-rpc': it stands for four: give it to a workload without flows"
                )
            own = [*flow_faults(part, part.load, self.duration), *(f for kind in part.kinds for f in kind_faults(kind))]
            # What several have of their workload is told once.
            told = {fault.removeprefix(f"flow {other.name!r}: ") for other in self.flows for fault in faults}
            faults += [f"{name}{fault}" for fault in dict.fromkeys(own) if fault not in told]
        faults += self._count_faults()
        names = [flow.name for flow in self.flows]
        faults += [f"flows: {name!r} occurs twice: names must differ" for name in {*names} if names.count(name) > 1]
        if self.flows and all(flow.background for flow in self.flows):
            faults.append("flows: all are background: at least one must be what is measured")
        faults += self._topology_faults()
        if faults:
            raise ValueError("\n".join(faults))  # a line is a fault: `errors.from_pydantic`
        return self

    def _count_faults(self) -> Iterator[str]:
        parts = self.parts()
        counted = [part.name for part in parts if part.messages]
        if not counted:
            return
        if "duration" in self.model_fields_set:
            length = format_duration(self.duration)
            yield f"duration = {length}: with `messages` a trial ends by their number: leave it out"
        if len(counted) > 1:
            yield f"messages: of flows {', '.join(counted)}: one may count, give the others messages = 0"
        elif self.counted is None:
            yield f"messages: flow {counted[0]} must be the first that is not background, as it ends the trial"
        beside = [part for part in parts if not part.messages]
        if any(part.closed for part in beside):
            yield "messages: what runs beside goes on until all are received: use loads of kind 'rate' for it"
        if any(isinstance(part.load, RateLoad) and part.load.profile is not None for part in beside):
            yield "messages: what runs beside has no duration, and so no load.profile: leave it out"

    @model_serializer(mode="wrap")
    def _without_a_length(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave the duration out where a number of messages stands in its place: both together are a fault."""
        written: dict[str, Any] = write(self)
        if self.counted is not None:
            written.pop("duration", None)
        return written

    def _topology_faults(self) -> tuple[str, ...]:
        parts = self.parts()
        try:
            layout = self.laid_out("", [f"#{number}" for number in range(self.plain_queues)], 0)
        except TopologyError as error:
            return error.faults
        kept = {one.name for one in layout.declared.queues if not (one.kind.exclusive or one.kind.auto_delete)}
        kept |= {*layout.plain}
        faults = []
        for part, route in zip(parts, layout.flows, strict=True):
            name = f"flow {part.name!r}: " if self.flows else ""
            if isinstance(part.load, InFlightLoad):
                faults += [
                    f"{name}load.kind = 'in_flight': {why}, and a closed loop awaits every message: use kind 'rate'"
                    for why in layout.early_ends(route, max(part.load.in_flight), part)
                ]
            if part.fills and not kept.issuperset(route.queues):
                faults.append(
                    f"{name}phases = {part.phases!r}: a queue that is exclusive or auto_delete goes with its consumers,"
                    " who leave while it is filled: use another"
                )
        return tuple(faults)

    @property
    def given_name(self) -> str:
        """What the scenario calls it: the workload whose flow it is, or the sweep it is a point of; else itself."""
        return self.flow_of or self.part_of or self.name

    @property
    def plain_queues(self) -> int:
        """Queues of the broker's own kind that it needs."""
        return plain_queues(self.parts(), self.topology)

    def laid_out(self, prefix: str, plain: Sequence[str], seed: int) -> Layout:
        """Return what is declared for it and where its messages go; see `bench.topology.layout.lay_out`."""
        return lay_out(self.parts(), self.topology, prefix, plain, seed)

    def parts(self) -> "tuple[Workload, ...]":
        """Return its flows, each as a workload of one flow; itself where it is one."""
        if not self.flows:
            return (self,)
        return tuple(self._part(flow) for flow in self.flows)

    def _part(self, flow: Flow) -> "Workload":
        given = flow.model_fields_set
        said = {name: getattr(flow, name) for name in given if getattr(flow, name) is not None}
        # A flow that names one size, or a number of consumers, has no list of its workload.
        lists = (("size", "sizes"), ("consumers", "groups"))
        said |= {many: () for one, many in lists if one in given and many not in given}
        part = self.model_copy(
            update={"flows": (), "flow_of": self.name, "flow": flow.name, "description": ""}
            | {"idle_connections": 0}
            | said
        )
        # What its workload says of replies is for those of its flows that have some.
        return part if part.pattern == "rpc" or "reply_size" in given else part.model_copy(update={"reply_size": None})

    @property
    def counted(self) -> int | None:
        """The number of the flow whose messages are counted, which is the first that is measured; None without one."""
        parts = self.parts()
        first = next((number for number, part in enumerate(parts) if not part.background), 0)
        return first if parts[first].messages else None

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
    bare_paths: bool = False
    """Whether to measure, after the trials, what the way to each place costs without a broker: round trips of 100 B to
    a program that sends back what it gets; some 7 s a place."""
    client_cpus: AnyCpuNumbers = ()
    """CPUs that our own workers are pinned to, such as `[0, 1]`; by default they may use any. Brokers have `cpus`."""
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
    messages: Annotated[Messages, Field(ge=1)] = 20_000
    """Of workloads that count their messages, how many at most."""
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
