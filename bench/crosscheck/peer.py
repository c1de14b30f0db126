"""What another tool is to the crosscheck: what it cannot do, how it is called, what it said. Pure.

A peer is a command line on a JVM. Its credentials go to it by an inherited file
descriptor (see `bench.crosscheck.jvm`), so arguments may hold them.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from bench.scenario.scenario import InFlightLoad, RateLoad, Workload
from bench.scenario.topology import BodySettings, PropertySettings
from bench.topology.layout import FlowRoute
from bench.units import NS_PER_S
from brokers.endpoint import Endpoint, Protocol


class PeerError(Exception):
    """A peer did not do its work; the message quotes what it said."""


@dataclass(frozen=True)
class Job:
    """What a peer is to do once.

    Attributes:
        workload: load, sizes, settlement.
        endpoint: where.
        route: where messages go, by names on the broker: queues are empty, and all that is named exists.
        warm_up_s: least time under load before the measured part.
        report: path of the file it may write.
    """

    workload: Workload
    endpoint: Endpoint
    route: FlowRoute
    warm_up_s: int
    report: str

    @property
    def measure_s(self) -> int:
        """Length of the measured part."""
        return self.workload.duration // NS_PER_S

    @property
    def queue(self) -> str:
        """The first queue, or the only one."""
        return self.route.queues[0]


@dataclass(frozen=True)
class PeerOutput:
    """What a peer left.

    Attributes:
        lines: what it printed, each with the monotonic time at which it came.
        report: text of the file it wrote; empty where it wrote none.
        epoch_ns: real time less monotonic time.
    """

    lines: Sequence[tuple[int, str]]
    report: str
    epoch_ns: int


@dataclass(frozen=True)
class Measured:
    """What a peer measured in its measured part.

    Attributes:
        from_ns, to_ns: its edges, monotonic.
        received: messages received in it.
        sent_per_s, received_per_s: rates.
        p50_ns, p99_ns: of received - sent, as it computes them.
    """

    from_ns: int
    to_ns: int
    received: int
    sent_per_s: float
    received_per_s: float
    p50_ns: int
    p99_ns: int


class Peer(ABC):
    """Another tool.

    Attributes:
        name, version: as people know it.
        protocol: what it speaks here.
        artifact: Maven coordinates.
        differs: a sentence on what its numbers mean that ours do not.
    """

    name: str
    version: str
    protocol: Protocol
    artifact: str
    differs: str

    @abstractmethod
    def refusals(self, workload: Workload) -> tuple[str, ...]:
        """Return what it cannot do the same, one sentence a field of the workload."""

    @abstractmethod
    def java(self, folder: str, job: Job) -> tuple[str, ...]:
        """Return the arguments of `java`, for a peer that lies in a folder."""

    @abstractmethod
    def seconds(self, measure_s: int, warm_up_s: int) -> int:
        """Return how long it runs for such parts, start and end left out."""

    @abstractmethod
    def read(self, said: PeerOutput, job: Job) -> Measured:
        """Return what it measured.

        Raises:
            PeerError: it did not say.
        """

    @abstractmethod
    def measuring(self, line: str, job: Job) -> bool:
        """Return whether this line says that the warm-up is over."""


def bound(workload: Workload) -> int:
    """Return the messages a producer may have unconfirmed; in a closed loop no more than its share of the loop's bound.

    0 = confirms are not asked for.
    """
    load = workload.load
    if not isinstance(load, InFlightLoad):
        return workload.confirm_window
    return min(load.in_flight[0] // workload.producers, workload.confirm_window or load.in_flight[0])


def common_refusals(workload: Workload, tool: str) -> list[str]:
    """Return what no peer can do the same."""
    if workload.flows:
        return [f"flows = {len(workload.flows)}: {tool} does one kind of work at a time"]
    load, faults = workload.load, _shape_refusals(workload, tool)
    if workload.lanes_per_connection != 1:
        faults.append(f"lanes_per_connection = {workload.lanes_per_connection}: {tool} opens one for each")
    if workload.confirm_window == 0 and isinstance(load, InFlightLoad):
        faults.append(f"confirm_window = 0: without confirms {tool}'s sender has no bound, and ours would have one")
    if isinstance(load, RateLoad) and load.arrivals != "constant":
        faults.append(f"load.arrivals = {load.arrivals!r}: {tool} knows even spacing only")
    if workload.mix(0) is not None:
        faults.append(f"size: {tool} sends one size only")
    if workload.consumer_rate is not None:
        faults.append(
            f"consumer_rate = {workload.consumer_rate:g}: a crosscheck compares consumers that take what comes"
        )
    if isinstance(load, RateLoad) and load.late == "drop":
        faults.append(f"load.late = 'drop': {tool} sends late")
    if isinstance(load, RateLoad) and load.profile is not None:
        faults.append(f"load.profile = {load.profile.kind!r}: {tool} knows one rate only")
    if isinstance(load, InFlightLoad) and load.in_flight[0] % workload.producers:
        faults.append(
            f"load.in_flight = {load.in_flight[0]}: {tool} bounds each producer,"
            f" so it must be a multiple of producers = {workload.producers}"
        )
    return faults


def exchange_refusals(workload: Workload) -> list[str]:
    """Return what of a workload is not one queue of the default exchange."""
    faults = []
    if workload.pattern != "queue":
        faults.append(f"pattern = {workload.pattern!r}: a crosscheck compares one queue")
    if workload.queues != 1:
        faults.append(f"queues = {workload.queues}: a crosscheck compares one queue")
    if workload.exchange or workload.keys is not None or workload.topology is not None:
        faults.append("exchange, keys, topology: a crosscheck compares one queue of the default exchange")
    return faults


def _shape_refusals(workload: Workload, tool: str) -> list[str]:
    faults = []
    if workload.counted is not None:
        faults.append(f"messages = {workload.messages}: a crosscheck compares a duration")
    if workload.pattern in ("rpc", "openstack-rpc"):
        faults.append(f"pattern = {workload.pattern!r}: {tool} answers nothing")
    if not workload.consumers or len(workload.kinds) > 1:
        faults.append(f"consumers = {workload.consumers}: a crosscheck compares consumers of one kind")
    faults += [
        f"{name} = {given:g}: a crosscheck compares consumers that take what comes"
        for name, given in (("reject", workload.reject), ("requeue", workload.requeue), ("think", workload.think))
        if given
    ]
    if workload.body != BodySettings() or workload.properties != PropertySettings():
        faults.append(f"body, properties: {tool} sends its own")
    return faults
