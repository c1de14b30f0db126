"""Ends a call of a library that waits for ever: pika's and py-amqp's do so where a broker keeps silent.

The calls of a port come one after the other, in one thread. A thread of its own sees four times a second which call
is running; the same for `PATIENCE_S` is hung up on, and fails. A call costs two assignments for that.
"""

import threading
from typing import Protocol

PATIENCE_S = 8.0
"""Longest call of a library, such as a wait for a confirm: longer than the time without progress after which a trial
has stalled, and shorter than the silence after which a worker counts as stuck."""
_LOOK_S = 0.25


class Patient(Protocol):
    """Who waits."""

    def give_up(self) -> None:
        """Hang up on the broker, so that the call that is running fails; called in another thread."""


class Patience:
    """Watches the calls of one port.

    Attributes:
        running: the call that is running, new with each call: whose it is; None between calls.
    """

    def __init__(self) -> None:
        """Begin to watch."""
        self.running: list[Patient] | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="patience", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Stop watching."""
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        seen, looks = self.running, 0
        while not self._over.wait(_LOOK_S):
            running = self.running
            looks = looks + 1 if running is seen else 0
            seen = running
            if seen is not None and looks >= PATIENCE_S / _LOOK_S:
                seen[0].give_up()
