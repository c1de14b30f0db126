"""Which routing key a message has, compiled: `bench.arrivals.keys` for kernels."""

import numpy as np
from numpy.typing import NDArray

from bench.arrivals.keys import BOUNDS, BY_PRODUCER, COUNT, HOW, IN_TURN, SEED
from bench.arrivals.sizes import FACTOR, MASK
from bench.jit import kernel_part

Int64 = NDArray[np.int64]


@kernel_part
def _mixed(word: int) -> int:
    word = (((word >> 16) ^ word) * FACTOR) & MASK
    word = (((word >> 16) ^ word) * FACTOR) & MASK
    return (word >> 16) ^ word


@kernel_part
def message_hash(seed: int, producer: int, seq: int) -> int:
    """Return the hash of a message, below 2³²; see `bench.arrivals.sizes`."""
    return _mixed(_mixed(int(seed) ^ ((int(producer) + (int(seq) >> 32)) & MASK)) ^ (int(seq) & MASK))


@kernel_part
def key_of(choice: Int64, producer: int, seq: int) -> int:
    """Return the key of a message, by a choice; for kernels."""
    count = int(choice[COUNT])
    if choice[HOW] == BY_PRODUCER:
        return int(producer) % count
    if choice[HOW] == IN_TURN:
        return (int(producer) + int(seq)) % count
    word = message_hash(choice[SEED], producer, seq)
    low, high = 0, count - 1
    while low < high:
        middle = (low + high) >> 1
        if word < choice[BOUNDS + middle]:
            high = middle
        else:
            low = middle + 1
    return low
