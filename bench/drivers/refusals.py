"""Which deliveries a consumer refuses, by a hash of the message: `Consuming.reject` and `requeue`. Pure.

The shares lie side by side on the hash's range, so that a message is either rejected or given back.
"""

from enum import Enum

from bench.arrivals.sizes import MASK, REFUSAL_SEED, hash_of
from bench.drivers.base import PortSpec


class Disposition(Enum):
    """What a consumer says of a delivery; each value is the name of the counter that counts it."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    """It is rejected for good."""
    REQUEUED = "requeued"
    """It is given back, to come again."""


class Refusals:
    """The dispositions of a port's consumers."""

    def __init__(self, spec: PortSpec) -> None:
        """Work out the bounds; consumers that do not acknowledge refuse nothing."""
        reject, requeue = (spec.consuming.reject, spec.consuming.requeue) if spec.ack_batch else (0.0, 0.0)
        self._reject_below = round(reject * (MASK + 1))
        self._requeue_below = round((reject + requeue) * (MASK + 1))

    def __bool__(self) -> bool:
        """Return whether any delivery is refused."""
        return self._requeue_below > 0

    def of(self, producer: int, seq: int, *, redelivered: bool) -> Disposition:
        """Return what is said of a delivery; what was given back once is accepted."""
        found = hash_of(REFUSAL_SEED, producer, seq)
        if found < self._reject_below:
            return Disposition.REJECTED
        return Disposition.REQUEUED if found < self._requeue_below and not redelivered else Disposition.ACCEPTED
