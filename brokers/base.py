"""What a broker under test is to the rest of the suite.

A `Broker` is made by a place from a product and its settings, started once, used, and
stopped or killed. What it is, its product says (`brokers.product`); where its processes
are, its place (`brokers.places`).
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from brokers.admin.admission import Admission
from brokers.endpoint import Endpoint, Protocol
from brokers.log_patterns import LogPatterns
from brokers.places.sampling import ProcessUsage
from brokers.product import Facts
from brokers.topology import QueueKind, TakenMessage, Topology


class BrokerError(Exception):
    """A broker did not do what was asked; the message names the reason and the next step."""


@dataclass(frozen=True)
class Needs:
    """What a workload needs of a broker that may not have it.

    Attributes:
        queues: number of queues.
        confirms: whether publishers wait for confirms.
    """

    queues: int
    confirms: bool


class Broker(ABC):
    """One broker: not started, running, or stopped.

    Attributes:
        name: how scenario and report call it.
        folder: its own data, config and logs; nothing of it lies elsewhere.
        patterns: how its log is read.
    """

    name: str
    folder: Path
    patterns: LogPatterns

    @abstractmethod
    def start(self) -> None:
        """Start and return when a handshake of every protocol has succeeded.

        Raises:
            BrokerError: it did not get ready; quotes the reason from its log. Nothing is
                left running.
        """

    @abstractmethod
    def protocols(self) -> tuple[Protocol, ...]:
        """Return what its product speaks, the protocol of its admin first."""

    @abstractmethod
    def endpoint(self, protocol: Protocol) -> Endpoint:
        """Return where a driver reaches it; raise BrokerError where it does not speak that protocol."""

    @abstractmethod
    def facts(self) -> Facts:
        """Return version, runtime and settings, as asked and as reported."""

    def lacks(self, needs: Needs) -> Iterator[str]:  # noqa: ARG002
        """Yield what it cannot do of what a workload needs, and how that is known: a sentence each."""
        yield from ()

    def admission(self, protocol: Protocol, bodies: Sequence[int], *, durable: bool) -> Admission:  # noqa: ARG002
        """Return what it announces and refuses over a protocol, tried on a queue of our name that is deleted at once.

        Args:
            protocol: what is spoken.
            bodies: sizes of messages that are to be sent, bytes.
            durable: of the queue.

        Raises:
            BrokerError: it does not let such a queue be declared, or lets nobody in; its cause is the AdminError.
        """
        return Admission(protocol)

    def unusable(self, queues: int) -> Iterator[str]:  # noqa: ARG002
        """Yield why so many of the queues that a user named must not be used, and what else of its own cannot be."""
        yield from ()

    def queues(self, prefix: str, count: int) -> tuple[str, ...]:
        """Return the names of a trial's queues; each trial has its own prefix.

        Raises:
            BrokerError: there are fewer.
        """
        return tuple(f"{prefix}-{number}" for number in range(count))

    @abstractmethod
    def declare(self, queue: str, *, durable: bool, rejecting: bool = False) -> None:
        """Make an empty queue of the kind that the settings name for such workloads.

        Args:
            queue: its name.
            durable: whether the workload is.
            rejecting: whether its consumers reject messages for good.
        """

    def queue_kind(self, *, durable: bool) -> QueueKind:
        """Return what queues of such workloads are declared as."""
        return QueueKind(durable)

    def declare_topology(self, topology: Topology) -> None:  # noqa: ARG002
        """Make exchanges, empty queues and bindings; what has one of their names is deleted first.

        Endpoints that are asked for from then on know the addresses of its queues.

        Raises:
            BrokerError: something is refused; what was made is deleted again.
        """
        message = f"broker {self.name!r} has no exchanges"
        raise BrokerError(message)

    def delete_topology(self, topology: Topology) -> None:  # noqa: B027
        """Delete exchanges, bindings, and queues with their messages; no fault where they are gone already."""

    def take(self, queue: str, most: int) -> Iterator[TakenMessage]:  # noqa: ARG002
        """Take messages out of a queue until it is empty or `most` are taken, with what they tell of their death.

        Some brokers look at the age of a message only when somebody asks for it: take a queue whose messages expire
        before the queue of its dead letters.

        Raises:
            BrokerError: it does not answer, or refuses.
        """
        yield from ()

    @abstractmethod
    def depth(self, queue: str) -> int | None:
        """Return the number of messages ready in a queue; None where this broker has no way to tell."""

    def peek_depth(self, queue: str) -> int | None:  # noqa: ARG002
        """Return what `depth` would, or None; a broker that does not answer is not blamed."""
        return None

    def idle_connections(self, count: int, within_s: float) -> AbstractContextManager[int]:  # noqa: ARG002
        """Hold idle connections open for a while; gives how many, fewer where time ran out or it takes no more."""
        return nullcontext(0)

    def held_back(self) -> tuple[str, ...] | None:
        """Return why it has held publishers back since this was last asked, in its words; None where it says not."""
        return None

    @abstractmethod
    def delete(self, queue: str) -> None:
        """Delete a queue with its messages; no fault where it is gone already."""

    @abstractmethod
    def pids(self) -> tuple[int, ...]:
        """Return the ids of all its processes on this host; empty where they cannot be seen."""

    @abstractmethod
    def usage(self) -> ProcessUsage | None:
        """Return what it has used so far; None where that cannot be seen. Cheap enough for every 100 ms."""

    @abstractmethod
    def switches(self) -> tuple[int, int] | None:
        """Return voluntary and involuntary context switches so far; None where they cannot be seen."""

    @abstractmethod
    def data_bytes(self) -> int | None:
        """Return the bytes that its folder takes on its disk; None where that cannot be seen."""

    @abstractmethod
    def failure(self) -> str | None:
        """Return why it no longer runs, or None while it does."""

    @abstractmethod
    def log(self) -> str:
        """Return what it has logged so far (at most the last MiB)."""

    @abstractmethod
    def stop(self) -> None:
        """Stop gracefully, then end what is left of its processes."""

    @abstractmethod
    def kill(self) -> None:
        """End its processes at once, as a crash would. Its data folder stays."""
