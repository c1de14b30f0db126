"""What tests of the crosscheck share: workloads, jobs, and a broker that does nothing."""

from pathlib import Path
from typing import Any

from bench.crosscheck.peer import Job
from bench.scenario import Workload
from brokers.base import Broker, Facts
from brokers.endpoint import Endpoint, Protocol

RECORDED = Path(__file__).parent / "bench" / "crosscheck" / "recorded"
AT = Endpoint("amqp091", "127.0.0.1", 5672, "/", None, "us/er", "pass word")


def workload(**fields: Any) -> Workload:
    """Return a workload of 5,000 messages a second for 4 s, changed as given."""
    given = {"name": "w", "load": {"kind": "rate", "rate": 5000}, "duration": "4s"}
    return Workload.model_validate(given | fields)


def job(work: Workload | None = None, endpoint: Endpoint = AT, report: str = "") -> Job:
    """Return a job with a warm-up of 3 s."""
    return Job(work or workload(), endpoint, "queue", 3, report)


class IdleBroker(Broker):
    """A broker without processes; fails when told to."""

    def __init__(self, failure: str | None = None) -> None:
        """Begin healthy, or not."""
        self.name = "idle"
        self.said = failure

    def start(self) -> None:
        """Do nothing."""

    def endpoint(self, protocol: Protocol) -> Endpoint:  # noqa: ARG002  (the contract's signature)
        """Return an address where nothing is."""
        return AT

    def facts(self) -> Facts:
        """Return made-up facts."""
        return Facts("idle", "1", "none")

    def declare(self, queue: str, *, durable: bool) -> None:
        """Do nothing."""

    def depth(self, queue: str) -> int:  # noqa: ARG002
        """Return nothing."""
        return 0

    def delete(self, queue: str) -> None:
        """Do nothing."""

    def pids(self) -> tuple[int, ...]:
        """Return nothing."""
        return ()

    def failure(self) -> str | None:
        """Return what it was told to say."""
        return self.said

    def log(self) -> str:
        """Return nothing."""
        return ""

    def stop(self) -> None:
        """Do nothing."""

    def kill(self) -> None:
        """Do nothing."""
