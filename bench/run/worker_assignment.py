"""What a worker is told: read from its standard input, so that no password touches a disk or an argument."""

from pathlib import Path
from typing import Literal, Protocol

from pydantic import Field

from bench.arrivals.schedule import Constant, Poisson, Profiled, Schedule, Stripe
from bench.drivers.base import ConsumerLane, PortSpec, ProducerLane
from bench.drivers.registry import driver_named
from bench.loadgen.source import BEAT_NS, Anchor, ClosedLoop, OpenLoop, ProfiledLoop, Source, Tokens
from bench.loadgen.waiting import Intake, Pacer
from bench.pauses.board import PauseBoard
from bench.pauses.filter import Meter
from bench.results.base import Record
from bench.scenario.profile import cumulative
from bench.scenario.scenario import InFlightLoad, RateLoad, Workload
from bench.units import NS_PER_MS, NS_PER_S
from brokers.endpoint import Endpoint

GATHER_NS = 5 * NS_PER_MS
"""How long a worker lets its port gather news where acknowledgements may be owed: half of what one may linger."""


class WorkerSees(Tokens, Anchor, Protocol):
    """What a worker's source reads of the board."""


class Assignment(Record):
    """One worker's part of one trial.

    Roles: `producer` and `consumer` are processes of their own; `both` is the one inline
    worker of the memory driver.
    """

    role: Literal["producer", "consumer", "both"]
    worker: int
    """Number among the workers of its role, from 0."""
    row: int
    """Row of the board, from 0."""
    rows: int
    """Rows of the board."""
    driver: str
    options: dict[str, str] = Field(default_factory=dict)
    """What only this driver understands."""
    workload: Workload
    queues: tuple[str, ...]
    """Names of the trial's queues on the broker."""
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
        """Name of the worker's files."""
        return f"{self.role}-{self.worker}"

    @property
    def kernel_times(self) -> bool:
        """Whether messages are received when the kernel has them, so that nothing is lost by reading them later.

        Not those of a slow consumer: what waits for it has not come as far as it goes.
        """
        plain = self.endpoint is not None and self.endpoint.tls is None
        asked = self.workload.received_at == "kernel" and self.workload.consumer_rate is None
        return plain and asked and driver_named(self.driver).kernel_times

    @property
    def unhurried(self) -> bool:
        """Whether this worker need not run at once when something comes: no schedule is kept, and no time lost."""
        return self.kernel_times and (self.role == "consumer" or self.workload.closed)

    def _gather_ns(self) -> int:
        work, consuming = self.workload, self.role != "producer"
        # In a closed loop somebody may wait for a token of each message.
        if work.closed or (consuming and work.consumer_rate is not None):
            return 0
        return GATHER_NS if consuming and work.ack_batch > 1 else BEAT_NS

    def port_spec(self) -> PortSpec:
        """Return what the driver opens."""
        work = self.workload
        producing, consuming = self.role != "consumer", self.role != "producer"
        stripe = range(self.worker, work.producers, work.workers)
        consumers = range(self.worker, work.consumers, work.workers)
        return PortSpec(
            endpoint=self.endpoint,
            producers=tuple(ProducerLane(p, self.queues[p % work.queues]) for p in stripe) if producing else (),
            consumers=tuple(ConsumerLane(c, self.queues[c % work.queues]) for c in consumers) if consuming else (),
            size=work.size,
            durable=work.durable,
            confirm_window=work.confirm_window,
            prefetch=work.prefetch,
            ack_batch=work.ack_batch,
            lanes_per_connection=work.lanes_per_connection,
            kernel_times=self.kernel_times,
            gather_ns=self._gather_ns(),
            wake_fd=self.wake_fd,
            options=self.options,
            mix=work.mix(self.seed),
        )

    def meter(self) -> Meter | None:
        """Return what the logs filter pauses by; None without a meter."""
        if self.pauses_fd is None:
            return None
        return Meter(PauseBoard(self.metered_cpus, self.pauses_fd).cells, self.drain)

    def source(self, start_ns: int, cells: WorkerSees) -> Source | None:
        """Return what is due for this worker; None for a consumer."""
        load = self.workload.load
        if self.role == "consumer":
            return None
        if isinstance(load, InFlightLoad):
            share, rest = divmod(load.in_flight[0], self.workload.workers)
            return ClosedLoop(share + (self.worker < rest), start_ns, cells)
        stripe = Stripe(schedule(load, self.seed), start_ns, self.worker, self.workload.workers)
        if load.profile is None:
            return OpenLoop(stripe)
        return ProfiledLoop(stripe, cells, lambda at_ns: profiled(self.workload, self.seed, at_ns - start_ns))

    def intake(self) -> Intake | None:
        """Return what bounds this worker's consumers; None where nothing does."""
        work = self.workload
        if work.consumer_rate is None or self.role == "producer":
            return None
        return Intake(work.consumer_rate * len(range(self.worker, work.consumers, work.workers)))

    @property
    def drop_after_ns(self) -> int | None:
        """How long a message may wait for room; None where that does not matter."""
        load = self.workload.load
        return load.late_after if isinstance(load, RateLoad) and load.late == "drop" else None

    def pacer(self) -> Pacer:
        """Return how this worker waits."""
        return Pacer(self.workload.spin, self.workload.coalesce)


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
