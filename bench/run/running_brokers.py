"""The brokers of a run: started when the plan says so, kept, replaced when they died, stopped at the end."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench.results.cost import IdleCost
from bench.results.records import BrokerRecord
from bench.scenario.products import starts
from bench.scenario.scenario import MemoryBroker, Scenario
from brokers.base import Broker, BrokerError
from brokers.opening import open_broker
from brokers.product import Facts


@dataclass
class Instance:
    """One broker since its start.

    Attributes:
        broker: it.
        facts: what it reported after its start.
        loaded_ns: time under load since its start.
        warm: pairs of target and workload that were warmed on it.
        started: how many times the run has started this broker.
        repetition: the one it was started for.
    """

    broker: Broker
    facts: Facts
    started: int
    repetition: int
    loaded_ns: int = 0
    warm: set[tuple[str, str]] = field(default_factory=set)


class Fleet:
    """Running brokers by name."""

    def __init__(
        self,
        scenario: Scenario,
        folder: Path,
        image_roots: Mapping[str, Path],
        say: Callable[[str], None],
        *,
        consume_existing: bool = False,
    ) -> None:
        """Take what brokers are made of.

        Args:
            scenario: where their settings stand.
            folder: each gets a folder below it.
            image_roots: root file systems by recipe.
            say: is told what happens.
            consume_existing: whether messages in queues that the user named may be consumed.
        """
        self._consume_existing = consume_existing
        self._scenario = scenario
        self._folder = folder
        self.image_roots = image_roots
        self._say = say
        self._running: dict[str, Instance] = {}
        self._started: dict[str, int] = {}

    def get(self, name: str, repetition: int) -> Instance:
        """Return a running broker, started anew where the plan says so or where the last one is gone.

        Raises:
            BrokerError: it could not be started or reached.
        """
        running = self._running.get(name)
        if running is not None and (self._stale(running, repetition) or running.broker.failure() is not None):
            self.stop(name)
            running = None
        return running or self._start(name, repetition)

    def running(self, name: str) -> Instance | None:
        """Return a broker as it runs now; None where it does not."""
        running = self._running.get(name)
        return running if running is not None and running.broker.failure() is None else None

    def stop(self, name: str) -> None:
        """Stop a broker where it runs; kill it where stopping is cut short."""
        running = self._running.get(name)
        if running is None:
            return
        try:
            running.broker.stop()
        except BaseException:  # Ctrl-C included
            running.broker.kill()
            raise
        finally:
            del self._running[name]

    def stop_all(self) -> None:
        """Stop every broker, also where stopping one fails; then raise the first failure."""
        failures: list[BaseException] = []
        for name in list(self._running):
            try:
                self.stop(name)
            except (BrokerError, KeyboardInterrupt) as error:
                failures.append(error)
        if failures:
            raise failures[0]

    def _stale(self, running: Instance, repetition: int) -> bool:
        restart = self._scenario.plan.restart
        return restart == "trial" or (restart == "block" and running.repetition != repetition)

    def _start(self, name: str, repetition: int) -> Instance:
        settings = self._scenario.broker(name)
        if isinstance(settings, MemoryBroker):
            message = f"{name} is a scripted memory broker: it runs inside its worker and is never started"
            raise TypeError(message)
        number = self._started.get(name, 0) + 1
        root = self.image_roots.get(settings.image)
        broker = open_broker(
            settings, self._folder / f"{name}-{number}", root, os.environ, consume_existing=self._consume_existing
        )
        self._say(f"starting {name}" if starts(settings) else f"reaching {name}")
        self._started[name] = number
        try:
            broker.start()
            instance = self._running[name] = Instance(broker, broker.facts(), number, repetition)
        except BaseException:  # Ctrl-C included: nothing that was started may stay
            broker.kill()
            raise
        return instance


def broker_record(name: str, kind: str, facts: Facts, started: int, idle: IdleCost | None = None) -> BrokerRecord:
    """Return what a trial stores of its broker."""
    return BrokerRecord(
        name=name,
        kind=kind,
        started=started,
        idle=idle,
        **vars(facts),
    )
