"""What a worker is told: read from its standard input, so that no password touches a disk or an argument."""

from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from pydantic import Field

from bench.arrivals.body_content import BodyContent
from bench.arrivals.schedule import Constant, Poisson, Profiled, Schedule, Stripe
from bench.drivers.base import (
    ConsumerLane,
    Consuming,
    Int64,
    OwnedQueue,
    PortSpec,
    ProducerLane,
    Properties,
    ReplyAddress,
    Route,
)
from bench.drivers.registry import driver_named
from bench.loadgen.source import (
    BEAT_NS,
    Anchor,
    ClosedLoop,
    Confirms,
    CountedSource,
    OpenLoop,
    ProfiledLoop,
    Source,
    Tokens,
)
from bench.loadgen.waiting import Intake, Pacer
from bench.pauses.board import PauseBoard
from bench.pauses.filter import Meter
from bench.record.account import NEVER_LATE_NS, Owing, Receiving
from bench.results.base import Record
from bench.scenario.profile import cumulative
from bench.scenario.scenario import InFlightLoad, RateLoad, Workload
from bench.topology.completion import Completion
from bench.topology.layout import FlowRoute
from bench.units import NS_PER_MS, NS_PER_S
from brokers.endpoint import Endpoint

GATHER_NS = 5 * NS_PER_MS
"""How long a worker lets its port gather news where acknowledgements may be owed: half of what one may linger."""


class WorkerSees(Tokens, Anchor, Protocol):
    """What a worker's source reads of the board."""


class Assignment(Record):
    """One worker's part of one trial.

    Roles: `producer` and `consumer` are processes of their own. A `requester` produces, and
    consumes the replies; a `responder` answers. `both` is the one inline worker of the
    memory driver, which is a `requester` where the driver itself answers.
    """

    role: Literal["producer", "consumer", "requester", "responder", "both"]
    worker: int
    """Number among the workers of its role, flow and kind, from 0."""
    flow: int = 0
    """Number of its flow within the workload."""
    kind: int = 0
    """Of its consumers, where a flow has several kinds."""
    producers_from: int = 0
    """Row of the flow's first producing worker."""
    row: int
    """Row of the board, from 0."""
    rows: int
    """Rows of the board."""
    driver: str
    options: dict[str, str] = Field(default_factory=dict)
    """What only this driver understands."""
    workload: Workload
    """Its flow, with the one kind of consumers that this worker has."""
    route: FlowRoute
    """Where the flow's messages go, by names on the broker."""
    owned: dict[str, OwnedQueue] = Field(default_factory=dict)
    """Queues that its consumers declare themselves."""
    seed: int
    """Seed of the trial's schedule."""
    endpoint: Endpoint | None = None
    """None for the memory driver."""
    conductor: int = 0
    """Process id of the conductor; a worker does not outlive it."""
    board_fd: int | None = None
    """Inherited descriptor of the board's memory."""
    account: Path | None = None
    """Where the account is written."""
    pauses_fd: int | None = None
    """Inherited descriptor of the pause meter's memory; None without a meter."""
    metered_cpus: int = 0
    """CPUs that the meter watches."""
    drain: float | None = None
    """See `bench.pauses.filter.Meter`."""
    wake_fd: int | None = None
    wake_fds: tuple[int, ...] = ()

    @property
    def name(self) -> str:
        """Name of the worker's files, and what messages call it."""
        return worker_name(self.role, self.worker, self.flow, self.kind)

    @property
    def kernel_times(self) -> bool:
        """Whether messages are received when the kernel has them, so that nothing is lost by reading them later.

        Not those of a slow consumer: what waits for it has not come as far as it goes.
        """
        plain = self.endpoint is not None and self.endpoint.tls is None
        asked = self.workload.received_at == "kernel" and self.workload.taken_rate is None
        return plain and asked and driver_named(self.driver).kernel_times

    @property
    def unhurried(self) -> bool:
        """Whether this worker need not run at once when something comes: no schedule is kept, and no time lost."""
        return self.kernel_times and (self.role == "consumer" or (self.workload.closed and self.role == "producer"))

    @property
    def produces(self) -> bool:
        """Whether it sends by a load."""
        return self.role in ("producer", "requester", "both")

    def _gather_ns(self) -> int:
        work, consuming = self.workload, self.role != "producer"
        # In a closed loop somebody may wait for a token of each message.
        if work.closed or (consuming and work.taken_rate is not None) or self.role in ("requester", "responder"):
            return 0
        return GATHER_NS if consuming and work.ack_batch > 1 else BEAT_NS

    def port_spec(self) -> PortSpec:
        """Return what the driver opens."""
        work, asks = self.workload, self.role == "requester"
        # Replies are for who asked for them: nobody else could take them, and nothing is won by acknowledging each.
        ack_batch = 0 if asks else work.ack_batch
        return PortSpec(
            endpoint=self.endpoint,
            producers=self._producers() if self.produces else (),
            consumers=() if self.role == "producer" else self._replies() if asks else self._consumers(),
            size=work.size,
            durable=work.durable,
            confirm_window=work.confirm_window,
            prefetch=work.prefetch,
            ack_batch=ack_batch,
            lanes_per_connection=work.lanes_per_connection,
            kernel_times=self.kernel_times,
            gather_ns=self._gather_ns(),
            wake_fd=self.wake_fd,
            options=self.options,
            mix=work.mix(self.seed),
            route=None if self.route.plain else Route(self.route.exchange, self.route.keys, self.route.choosing),
            properties=_properties(work),
            body=self._body(),
            compact=work.body.stamp == "compact",
            consuming=Consuming()
            if asks
            else Consuming(tuple(work.consumer_arguments.items()), work.exclusive_consumer, work.reject, work.requeue),
            requests=asks,
            reply_size=(work.reply_size or work.size) if self.role == "responder" else 0,
        )

    def _producers(self) -> tuple[ProducerLane, ...]:
        route, stripe = self.route, range(self.worker, self.workload.producers, self.workload.workers)
        queues = route.keys if route.plain else ("",)
        return tuple(ProducerLane(route.first_producer + p, queues[p % len(queues)]) for p in stripe)

    def _consumers(self) -> tuple[ConsumerLane, ...]:
        return tuple(
            ConsumerLane(consumer, queue := self.route.queues[number], self.owned.get(queue))
            for consumer, number in self._numbered()
        )

    def _numbered(self) -> list[tuple[int, int]]:
        """Return each consumer's number within its kind, and which of the flow's queues it uses."""
        used, work = self.route.used_by[self.kind] if self.route.used_by else (), self.workload
        return [(c, used[c % len(used)]) for c in range(self.worker, work.consumers, work.workers)]

    def _replies(self) -> tuple[ConsumerLane, ...]:
        words = {"direct": ReplyAddress.DIRECT, "dynamic": ReplyAddress.DYNAMIC}
        replies, word = self.route.replies, words.get(self.workload.reply, "")
        stripe = range(self.worker, self.workload.producers, self.workload.workers)
        return tuple(ConsumerLane(p, replies[p] if replies else word, reply=True) for p in stripe)

    def _body(self) -> BodyContent:
        body = self.workload.body
        octets = b"" if body.file is None else Path(body.file).read_bytes()
        return BodyContent(body.content, body.share, octets)

    def owing(self) -> Owing:
        """Return what the broker owes of this worker's messages."""
        uniform = self.route.uniform
        alike = uniform is not None and not self.route.nowhere
        copies = np.array([uniform], np.int64) if alike else self.route.copies
        nowhere = np.isin(np.arange(len(copies)), self.route.nowhere).astype(np.int64)
        return Owing(self.route.choosing, copies, nowhere)

    def completion(self) -> Completion | None:
        """Return what tells how many of this worker's messages are complete; None where each has one copy."""
        if not self.produces or self.route.uniform == 1:
            return None
        return Completion(self.route, [lane.producer for lane in self._producers()])

    def receiving(self) -> Receiving:
        """Return how this worker's deliveries are counted."""
        route, work = self.route, self.workload
        late_ns = work.reply_timeout if work.pattern == "rpc" else NEVER_LATE_NS
        if self.role == "requester":
            lanes = len(range(self.worker, work.producers, work.workers))
            return Receiving(np.zeros(lanes, np.int64), 1, route.first_producer, late_ns=late_ns)
        columns = np.array([route.columns[number] for _, number in self._numbered()] or [0], np.int64)
        alone = work.workers == 1 and len(route.used_by) == 1
        last_of = (route.uniform or 1) if alone else 1
        return Receiving(columns, route.column_count, route.first_producer, last_of, late_ns)

    @property
    def heard_at(self) -> int:
        """Queues over which producers are dealt, so that a consumer hears but some of them; 1 where it may hear all."""
        if self.role == "requester":
            return self.workload.producers
        return len(self.route.keys) if self.route.plain and self.workload.pattern != "rpc" else 1

    def meter(self) -> Meter | None:
        """Return what the logs filter pauses by; None without a meter."""
        if self.pauses_fd is None:
            return None
        return Meter(PauseBoard(self.metered_cpus, self.pauses_fd).cells, self.drain)

    @property
    def held(self) -> bool:
        """Whether its consumers are let in only when every message lies on the broker."""
        return self.role == "consumer" and self.workload.fills

    def source(self, start_ns: int, cells: WorkerSees, outcomes: Int64 | None = None) -> Source | None:
        """Return what is due for this worker; None for a consumer.

        Args:
            start_ns: start of the schedule.
            cells: the worker's view of the board.
            outcomes: of the ledger of its producers, as `bench.loadgen.source.Confirms` reads it.
        """
        if not self.produces:
            return None
        found = self._uncounted(start_ns, cells, outcomes)
        work = self.workload
        # Message k of a flow is of worker k mod n, so that each producer sends its share to within one.
        return CountedSource(found, len(range(self.worker, work.messages, work.workers))) if work.messages else found

    def _uncounted(self, start_ns: int, cells: WorkerSees, outcomes: Int64 | None) -> Source:
        load = self.workload.load
        if isinstance(load, InFlightLoad):
            share, rest = divmod(load.in_flight[0], self.workload.workers)
            tokens = Confirms(outcomes) if self.workload.fills and outcomes is not None else cells
            return ClosedLoop(share + (self.worker < rest), start_ns, tokens)
        stripe = Stripe(schedule(load, self.seed), start_ns, self.worker, self.workload.workers)
        if load.profile is None:
            return OpenLoop(stripe)
        return ProfiledLoop(stripe, cells, lambda at_ns: profiled(self.workload, self.seed, at_ns - start_ns))

    def intake(self) -> Intake | None:
        """Return what bounds this worker's consumers; None where nothing does."""
        work = self.workload
        rate = work.taken_rate
        if rate is None or self.role in ("producer", "requester"):
            return None
        return Intake(rate * len(range(self.worker, work.consumers, work.workers)))

    @property
    def drop_after_ns(self) -> int | None:
        """How long a message may wait for room; None where that does not matter."""
        load = self.workload.load
        return load.late_after if isinstance(load, RateLoad) and load.late == "drop" else None

    def pacer(self) -> Pacer:
        """Return how this worker waits."""
        return Pacer(self.workload.spin, self.workload.coalesce)


def worker_name(role: str, worker: int, flow: int, kind: int) -> str:
    """Return the name of a worker: where there is one flow and one kind of consumers, its role and number."""
    return f"{role}-{flow}.{kind}-{worker}" if flow or kind else f"{role}-{worker}"


def flow_seed(seed: int, flow: int) -> int:
    """Return the seed of a flow's schedule and sizes; the first has that of its trial."""
    return seed + flow * 7_919


def _properties(work: Workload) -> Properties:
    given = work.properties
    return Properties(
        headers=tuple(given.headers.items()),
        content_type=given.content_type,
        content_encoding=given.content_encoding,
        priority=given.priority,
        correlation_id=given.correlation_id,
        expiration_ms=given.expiration,
        message_id=given.message_id,
        type=given.type,
        app_id=given.app_id,
    )


def schedule(load: RateLoad, seed: int) -> Schedule:
    """Return the schedule of a trial; with a profile, that of its warm-up."""
    if load.profile is not None:
        return Profiled(_unit(load, seed), load.rate)
    return Constant(load.rate) if load.arrivals == "constant" else Poisson(load.rate, seed)


def profiled(workload: Workload, seed: int, begin_ns: int) -> Schedule:
    """Return the schedule of a trial whose measured part begins so long after its start; TypeError: it has none."""
    load = workload.load
    if not isinstance(load, RateLoad):
        message = f"workload {workload.name} has no schedule"
        raise TypeError(message)
    if load.profile is None:
        return schedule(load, seed)
    profile = cumulative(load.profile, workload.duration)
    return Profiled(_unit(load, seed), load.rate, profile, begin_ns)


def _unit(load: RateLoad, seed: int) -> Constant | Poisson:
    return Constant(NS_PER_S) if load.arrivals == "constant" else Poisson(NS_PER_S, seed)
