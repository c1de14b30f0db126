"""Which routing key a message has: a function of its producer, its number and a seed. Pure.

A flow has keys 0, 1, … n-1. A choice says which of them a message has: the same for all
messages of a producer, in turn, or drawn by weights (of which Zipf's law is one). Every
worker knows it without being told, so that the ledger can say which queues a message is
owed to. A choice travels as one int64 array, so that kernels (`key_kernels`) take it as it is.
"""

from collections.abc import Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

from bench.arrivals.sizes import MASK, mixed

Int64 = NDArray[np.int64]

BY_PRODUCER, IN_TURN, DRAWN = range(3)
"""How keys are chosen: producer p has key p mod n; message s of producer p has key p + s mod n; by weights."""

HOW, COUNT, SEED, BOUNDS = range(4)
"""Cells of a choice; bounds of hashes from the last one on."""


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


def keys_of(choice: Int64, producer: int, first: int, count: int) -> Int64:
    """Return the keys of `count` messages of a producer from number `first` on, int64."""
    seq = np.arange(first, first + count, dtype=np.int64)
    if choice[HOW] == BY_PRODUCER:
        return np.full(count, producer % int(choice[COUNT]), np.int64)
    if choice[HOW] == IN_TURN:
        return cast("Int64", (producer + seq) % int(choice[COUNT]))
    word = mixed(mixed(int(choice[SEED]) ^ (producer + (seq >> 32) & MASK)) ^ (seq & MASK))
    return cast("Int64", np.searchsorted(choice[BOUNDS:], word, side="right").astype(np.int64))
