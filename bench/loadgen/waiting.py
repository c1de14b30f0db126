"""How a worker waits: for the next message, asleep then busy; for company; and, as a slow consumer, to take more. Pure.

*Spin* is a busy wait before a message is due. It costs CPU, which is counted, and saves
the microseconds that a sleeper needs to wake. *Coalesce* lets a message that is due wait
until so long after the last send, so that several go out in one write; the wait is in the
tool's own send lag like any other lateness of ours. It holds nothing back while messages wait for
room: a sender that is behind has enough to write. Both are for open loops only, as in a
closed loop nothing is ever due.
"""

import math

from bench.units import NS_PER_MS, NS_PER_S

CATCH_UP_NS = 10 * NS_PER_MS


class Intake:
    """Bounds the rate at which consumers take messages.

    After every portion it rests as long as the rate allows for it. A consumer that waited
    for messages may make up for at most `CATCH_UP_NS` of that, so that the delay between
    asking and getting costs a busy one nothing.
    """

    def __init__(self, rate: float) -> None:
        """Take at most `rate` messages a second."""
        self._gap_ns = NS_PER_S / rate
        self.free_ns = 0

    def took(self, messages: int, now_ns: int) -> None:
        """Note that so many messages were taken."""
        self.free_ns = max(self.free_ns, now_ns - CATCH_UP_NS) + math.ceil(messages * self._gap_ns)


class Pacer:
    """Shapes the waits of one pump.

    Attributes:
        coalesce_ns: shortest time between two sends, unless messages are left over.
        spun_ns: time spent in busy waits that brought no news.
    """

    def __init__(self, spin_ns: int = 0, coalesce_ns: int = 0) -> None:
        """Wait busily for the last `spin_ns`, and send every `coalesce_ns` at most."""
        self._spin_ns = spin_ns
        self.coalesce_ns = coalesce_ns
        self._held_until_ns = 0
        self._spinning_since_ns: int | None = None
        self.spun_ns = 0

    @property
    def spins(self) -> bool:
        """Whether busy waits were asked for."""
        return self._spin_ns > 0

    def woke(self, now_ns: int, *, news: bool) -> None:
        """Account for the wait that ends now: one that brought news was useful."""
        if self._spinning_since_ns is not None:
            if not news:
                self.spun_ns += now_ns - self._spinning_since_ns
            self._spinning_since_ns = None

    def held_ns(self, now_ns: int) -> int:
        """Return how long messages that are due are still held back."""
        return max(0, self._held_until_ns - now_ns) if self.coalesce_ns else 0

    def sent(self, now_ns: int, *, rest: bool) -> None:
        """Note that what was due at `now_ns` was sent, or that some of it had to stay."""
        self._held_until_ns = 0 if rest else now_ns + self.coalesce_ns

    def sleep_ns(self, now_ns: int, wait_ns: int) -> int:
        """Return how much of a wait to sleep; 0 where it is to be spent busily."""
        if not self._spin_ns or wait_ns > self._spin_ns:
            return wait_ns - self._spin_ns
        if wait_ns > 0:
            self._spinning_since_ns = now_ns
        return 0
