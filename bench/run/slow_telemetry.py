"""Slow telemetry: what is sampled once a second during a trial, in a thread of its own, as it may be slow or block.

Context switches, the broker's folder, the depth of its queues, and which children the
workers have. No sample decides anything, and a broker that does not answer is not blamed:
its depth is unknown from then on. Where a sample takes much CPU time, they are taken less often.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from brokers.base import Broker
from brokers.places.sampling import Switches, descendants

INTERVAL_S = 1.0
MOST_SHARE = 0.01
"""CPU time that sampling may take, as a share of a core."""
MOST_QUEUES = 16
"""Of more queues the depth is not asked for: each is a question that the broker must answer while it is measured."""
_LEAVE_S = 15.0


@dataclass(frozen=True)
class SlowSample:
    """One sample.

    Attributes:
        at_ns: monotonic time, just before the broker was asked.
        broker_voluntary, broker_involuntary, client_voluntary, client_involuntary: context
            switches since the processes began; None = unknown.
        data_bytes: allocated in the broker's folder; None = unknown.
        depth: messages in all queues of the trial; None = unknown.
    """

    at_ns: int
    broker_voluntary: int | None
    broker_involuntary: int | None
    client_voluntary: int
    client_involuntary: int
    data_bytes: int | None
    depth: int | None


class SlowTelemetry:
    """Looks from `start` to `stop`; `seen` is what was seen.

    Attributes:
        seen: in order of time.
        below: the workers' children and their children, as last looked at.
        held_back: why the broker holds publishers back, in its words, as far as it was asked and says.
    """

    def __init__(
        self,
        broker: Broker,
        workers: Callable[[], tuple[int, ...]],
        depth: Callable[[], int | None],
        held_back: Callable[[], tuple[str, ...] | None] | None = None,
    ) -> None:
        """Take where to look.

        Args:
            broker: what is looked at.
            workers: returns the worker processes.
            depth: asks the broker for the messages in all queues; None = it does not say.
            held_back: asks the broker why it has held publishers back, see `Broker`; None = its producers are told.
        """
        self._broker = broker
        self._workers = workers
        self._ask_depth: Callable[[], int | None] | None = depth
        self._ask_held_back = held_back
        self._of_client = Switches()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="slow-telemetry", daemon=True)
        self.seen: list[SlowSample] = []
        self.below: tuple[int, ...] = ()
        self.held_back: tuple[str, ...] = ()

    def start(self) -> None:
        """Look from now on."""
        if self._ask_held_back is not None:
            self._ask_held_back()  # what was before is no matter of this trial
        self._thread.start()

    def stop(self) -> bool:
        """Look no more; return whether the last look is over: it may hang on a broker that does not answer."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(_LEAVE_S)
        return not self._thread.is_alive()

    def look(self) -> SlowSample:
        """Look once and keep it."""
        workers = self._workers()
        self.below = descendants(workers)
        of_client = self._of_client.read((*workers, *self.below))
        of_broker, data_bytes = self._broker.switches(), self._broker.data_bytes()
        at_ns = time.monotonic_ns()
        depth = self._ask_depth() if self._ask_depth is not None else None
        if depth is None:
            self._ask_depth = None
        if self._ask_held_back is not None:
            told = self._ask_held_back()
            if told is None:
                self._ask_held_back = None
            else:
                self.held_back = tuple(dict.fromkeys((*self.held_back, *told)))
        found = SlowSample(
            at_ns=at_ns,
            broker_voluntary=of_broker[0] if of_broker else None,
            broker_involuntary=of_broker[1] if of_broker else None,
            client_voluntary=of_client[0],
            client_involuntary=of_client[1],
            data_bytes=data_bytes,
            depth=depth,
        )
        self.seen.append(found)
        return found

    def _run(self) -> None:
        wait_s = 0.0
        while not self._stop.wait(wait_s):
            before_s = time.thread_time()
            self.look()
            wait_s = max(INTERVAL_S, (time.thread_time() - before_s) / MOST_SHARE)
