"""Which routing key a message has: a function of its producer, its number and a seed. Pure.

A flow has keys 0, 1, … n-1. A choice says which of them a message has: the same for all
messages of a producer, in turn, or drawn by weights (of which Zipf's law is one). Every
worker knows it without being told, so that the ledger can say which queues a message is
owed to. A choice travels as one int64 array, so that kernels take it as it is.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bench.arrivals.sizes import FACTOR, MASK
from bench.jit import kernel, kernel_part

Int64 = NDArray[np.int64]

BY_PRODUCER, IN_TURN, DRAWN = range(3)
"""How keys are chosen: producer p has key p mod n; message s of producer p has key p + s mod n; by weights."""

_HOW, _COUNT, _SEED, _BOUNDS = range(4)


def by_producer(count: int) -> Int64:
    """Return the choice in which a producer has one of `count` keys."""
    return np.array([BY_PRODUCER, count, 0], np.int64)


def in_turn(count: int) -> Int64:
    """Return the choice in which the messages of a producer have all of `count` keys in turn."""
    return np.array([IN_TURN, count, 0], np.int64)


def drawn(weights: Sequence[float], seed: int) -> Int64:
    """Return the choice in which each message has a key by weights; it draws by a hash of 32 bits, as sizes do."""
    shares = np.cumsum(weights) / sum(weights)
    bounds = np.round(shares * (MASK + 1)).astype(np.int64)
    bounds[-1] = MASK + 1
    return np.concatenate([np.array([DRAWN, len(weights), (seed ^ seed >> 32) & MASK], np.int64), bounds])


def zipf(count: int, exponent: float) -> tuple[float, ...]:
    """Return weights by Zipf's law: the k-th key comes as often as k to the power of -exponent."""
    return tuple((np.arange(1, count + 1, dtype=np.float64) ** -exponent).tolist())


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
    count = int(choice[_COUNT])
    if choice[_HOW] == BY_PRODUCER:
        return int(producer) % count
    if choice[_HOW] == IN_TURN:
        return (int(producer) + int(seq)) % count
    word = message_hash(choice[_SEED], producer, seq)
    low, high = 0, count - 1
    while low < high:
        middle = (low + high) >> 1
        if word < choice[_BOUNDS + middle]:
            high = middle
        else:
            low = middle + 1
    return low


@kernel
def keys_into(choice: Int64, producer: int, first: int, keys: Int64) -> None:
    """Write the keys of the messages of a producer from number `first` on into an array."""
    for i in range(len(keys)):
        keys[i] = key_of(choice, producer, first + i)


def keys_of(choice: Int64, producer: int, first: int, count: int) -> Int64:
    """Return the keys of `count` messages of a producer from number `first` on, int64."""
    keys = np.empty(count, np.int64)
    keys_into(choice, producer, first, keys)
    return keys
