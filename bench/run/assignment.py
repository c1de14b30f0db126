"""What a worker is told: read from its standard input, so that no password touches a disk or an argument."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from bench.drivers.base import ConsumerLane, PortSpec, ProducerLane
from bench.pacing import Pacer
from bench.scenario import InFlightLoad, RateLoad, Workload
from bench.schedule import Constant, Poisson, Schedule, Stripe
from bench.source import ClosedLoop, OpenLoop, Source, Tokens
from bench.units import NS_PER_MS
from brokers.endpoint import Endpoint

GATHER_NS = 5 * NS_PER_MS
"""How long a worker of an open loop lets its port gather news: half of what an acknowledgement may linger."""


class Assignment(BaseModel):
    """One worker's part of one trial.

    Roles: `producer` and `consumer` are processes of their own; `both` is the one inline
    worker of the memory driver.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    role: Literal["producer", "consumer", "both"]
    worker: int
    """Number among the workers of its role, from 0."""
    row: int
    """Row of the board, from 0."""
    rows: int
    """Rows of the board."""
    driver: str
    options: dict[str, str] = {}
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
    wake_fd: int | None = None
    wake_fds: tuple[int, ...] = ()

    @property
    def name(self) -> str:
        """Name of the worker's files."""
        return f"{self.role}-{self.worker}"

    @property
    def closed(self) -> bool:
        """Whether the load is a closed loop."""
        return isinstance(self.workload.load, InFlightLoad)

    @property
    def _tokens_bind(self) -> bool:
        """Whether a producer may wait for the receipt of a message, rather than for its confirm or its time."""
        work = self.workload
        window = work.confirm_window * work.producers
        return isinstance(work.load, InFlightLoad) and (window == 0 or window >= work.load.in_flight[0])

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
            gather_ns=0 if self._tokens_bind else GATHER_NS,
            wake_fd=self.wake_fd,
            options=self.options,
        )

    def source(self, start_ns: int, tokens: Tokens) -> Source | None:
        """Return what is due for this worker; None for a consumer."""
        load = self.workload.load
        if self.role == "consumer":
            return None
        if isinstance(load, InFlightLoad):
            share, rest = divmod(load.in_flight[0], self.workload.workers)
            return ClosedLoop(share + (self.worker < rest), start_ns, tokens)
        return OpenLoop(Stripe(schedule(load, self.seed), start_ns, self.worker, self.workload.workers))

    def pacer(self) -> Pacer:
        """Return how this worker waits."""
        return Pacer(self.workload.spin, self.workload.coalesce)


def schedule(load: RateLoad, seed: int) -> Schedule:
    """Return the schedule of a trial."""
    return Constant(load.rate) if load.arrivals == "constant" else Poisson(load.rate, seed)
