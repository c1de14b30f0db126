"""Messages of several sizes: which size a message has is a function of its producer, its number and a seed. Pure.

A hash of the three, a whole number below 2³², is compared with the cumulated weights. So
every worker, and who reads a message, knows its size without being told. The hash is made
of steps that are bijections of 32 bits (multiply by an odd number, fold the upper half
into the lower), and of numbers that never pass 2⁶³, so that Python and compiled code
(`bench.wire.templates`) agree on it.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

MASK = 0xFFFF_FFFF
FACTOR = 0x45D9_F3B
REFUSAL_SEED = 1
"""Of the hash by which consumers reject or give back, the same for all drivers."""


@dataclass(frozen=True)
class Sizes:
    """Sizes of bodies with their weights.

    Attributes:
        sizes: bytes of each class.
        weights: how often each comes, relative to the others.
        seed: of the choice, from 0.
    """

    sizes: tuple[int, ...]
    weights: tuple[float, ...]
    seed: int

    @cached_property
    def bounds(self) -> tuple[int, ...]:
        """Behind the last hash of each class; the last bound is 2³²."""
        shares = np.cumsum(self.weights) / sum(self.weights)
        return (*(round(float(share) * (MASK + 1)) for share in shares[:-1]), MASK + 1)

    @property
    def folded_seed(self) -> int:
        """The seed in 32 bits."""
        return (self.seed ^ self.seed >> 32) & MASK

    @property
    def mean(self) -> float:
        """Expected bytes of a body."""
        return float(np.average(self.sizes, weights=self.weights))

    def of(self, producer: int, seq: int) -> int:
        """Return the bytes of a producer's message."""
        found = hash_of(self.folded_seed, producer, seq)
        return next(size for size, bound in zip(self.sizes, self.bounds, strict=True) if found < bound)


def hash_of(seed: int, producer: int, seq: int) -> int:
    """Return the hash of a message, below 2³²: `bench.arrivals.key_kernels.message_hash`, for Python."""
    found: int = mixed(mixed(seed ^ (producer + (seq >> 32) & MASK)) ^ (seq & MASK))
    return found


def mixed(word: Any) -> Any:
    """Return 32 bits, mixed; of an int, or of each number of an int64 array."""
    word = ((word >> 16) ^ word) * FACTOR & MASK
    word = ((word >> 16) ^ word) * FACTOR & MASK
    return (word >> 16) ^ word
