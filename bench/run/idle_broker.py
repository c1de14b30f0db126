"""What a broker uses while nobody uses it, and what an idle connection and an empty queue take of its memory.

It is measured once, after a broker's first start in a run, before any trial: see
`bench.results.cost.IdleCost` for what the figures are and are not.
"""

import contextlib
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bench.results.cost import IdleCost
from brokers.base import Broker, BrokerError
from brokers.places.sampling import ProcessUsage

SETTLE_S = 1.0
"""Left alone after it became ready: the last of its start is no idling."""
WINDOW_S = 2.0
HOLD_S = 0.5
"""Between opening and reading, for what the broker does on its own account."""
COUNT = 100
WITHIN_S = 5.0
"""Longest time to open connections, or to declare queues; what was done by then is divided by."""


@dataclass(frozen=True)
class _Grown:
    count: int
    bytes_each: float | None


def idle_cost(
    broker: Broker,
    *,
    durable: bool,
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> IdleCost | None:
    """Return the idle cost of a broker that is ready and unused; None for one whose processes cannot be seen.

    Args:
        broker: it.
        durable: whether queues are of the kind for durable workloads.
        now: time, s.
        sleep: waits for so many seconds.

    Raises:
        BrokerError: it does not answer; a refused queue is no error.
    """
    if broker.usage() is None:
        return None
    sleep(SETTLE_S)
    begin_s, before = now(), _usage(broker)
    sleep(WINDOW_S)
    length_s, after = now() - begin_s, _usage(broker)
    connections = _grown(broker, after, lambda: broker.idle_connections(COUNT, WITHIN_S), sleep)
    sleep(SETTLE_S)  # while it gives back what connections took
    queues = _grown(broker, _usage(broker), lambda: _queues(broker, now, durable=durable), sleep)
    return IdleCost(
        seconds=length_s,
        cpu_cores=(after.cpu_s - before.cpu_s) / length_s,
        rss=after.rss,
        connections=connections.count,
        bytes_per_connection=connections.bytes_each,
        queues=queues.count,
        durable_queues=durable,
        bytes_per_queue=queues.bytes_each,
    )


def _usage(broker: Broker) -> ProcessUsage:
    found = broker.usage()
    if found is None:
        message = f"broker {broker.name!r} is gone: {broker.failure() or 'its processes are not seen any more'}"
        raise BrokerError(message)
    return found


def _grown(
    broker: Broker,
    before: ProcessUsage,
    hold: Callable[[], contextlib.AbstractContextManager[int]],
    sleep: Callable[[float], None],
) -> _Grown:
    """Return how the resident set grew while something was held, for each."""
    with hold() as count:
        sleep(HOLD_S)
        grown = _usage(broker).rss - before.rss
    return _Grown(count, grown / count if count else None)


@contextlib.contextmanager
def _queues(broker: Broker, now: Callable[[], float], *, durable: bool) -> Iterator[int]:
    """Hold empty queues; gives how many."""
    prefix, until_s = f"busbench-idle-{secrets.token_hex(3)}", now() + WITHIN_S
    made: list[str] = []
    try:
        with contextlib.suppress(BrokerError):
            while len(made) < COUNT and now() < until_s:
                broker.declare(f"{prefix}-{len(made)}", durable=durable)
                made.append(f"{prefix}-{len(made)}")
        yield len(made)
    finally:
        for queue in made:
            broker.delete(queue)
