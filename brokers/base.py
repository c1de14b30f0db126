"""What a broker under test is to the rest of the suite.

A `Broker` is made from settings, started once, used, and stopped or killed. Each broker
lives in one file of its own; the process around it is the business of a place.
"""

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from brokers.endpoint import Endpoint, Protocol


class BrokerError(Exception):
    """A broker did not do what was asked; the message names the reason and the next step."""


@dataclass(frozen=True)
class Facts:
    """What a running broker is, as it reports itself.

    `asked` and `reported` share their keys where both are known, so that they can be
    compared; `limits` says how the memory cap and the CPU count are applied.
    """

    product: str
    version: str
    runtime: str
    asked: dict[str, str] = field(default_factory=dict)
    reported: dict[str, str] = field(default_factory=dict)
    limits: dict[str, str] = field(default_factory=dict)
    labels: tuple[str, ...] = ()
    """Words a report must show, such as `store not fresh`."""


class Broker(ABC):
    """One broker: not started, running, or stopped.

    Attributes:
        name: how scenario and report call it.
        folder: its own data, config and logs; nothing of it lies elsewhere.
    """

    name: str
    folder: Path

    @abstractmethod
    def start(self) -> None:
        """Start and return when an AMQP handshake on its virtual host has succeeded.

        Raises:
            BrokerError: it did not get ready; quotes the reason from its log. Nothing is
                left running.
        """

    @abstractmethod
    def endpoint(self, protocol: Protocol) -> Endpoint:
        """Return where a driver reaches it."""

    @abstractmethod
    def facts(self) -> Facts:
        """Return version, runtime and settings, as asked and as reported."""

    @abstractmethod
    def declare(self, queue: str, *, durable: bool) -> None:
        """Make an empty queue of the kind that the settings name for such workloads."""

    @abstractmethod
    def depth(self, queue: str) -> int:
        """Return the number of messages ready in a queue."""

    def glance(self, queue: str) -> int | None:  # noqa: ARG002
        """Return what `depth` would, or None; a broker that does not answer is none the worse for it."""
        return None

    def idle_connections(self, count: int, within_s: float) -> AbstractContextManager[int]:  # noqa: ARG002
        """Hold idle connections open for a while; gives how many, fewer where time ran out or it takes no more."""
        return nullcontext(0)

    @abstractmethod
    def delete(self, queue: str) -> None:
        """Delete a queue with its messages; no fault where it is gone already."""

    @abstractmethod
    def pids(self) -> tuple[int, ...]:
        """Return the ids of all its processes on this host; empty for an external one."""

    @abstractmethod
    def failure(self) -> str | None:
        """Return why it no longer runs, or None while it does."""

    @abstractmethod
    def log(self) -> str:
        """Return what it has logged so far (at most the last MiB)."""

    @abstractmethod
    def stop(self) -> None:
        """Stop gracefully, then end what is left of its processes, epmd included."""

    @abstractmethod
    def kill(self) -> None:
        """End its processes at once, as a crash would. Its data folder stays."""
