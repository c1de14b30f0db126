"""Which of several templates a message is made of: `bench.arrivals.sizes`, compiled.

A table has a row for each class of messages; a port with one size has one row, and asks
nothing of it but its length.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from bench.arrivals.key_kernels import message_hash
from bench.arrivals.sizes import Sizes
from bench.jit import kernel_part
from bench.wire.octets import Int64, Octets

BOUND = 0
"""Behind the last hash of the class; see `Sizes.bounds`."""
FIRST = 1
"""Where its template begins among all of them."""
OCTETS = 2
"""Length of its template."""
SIZE = 3
"""Bytes of its body."""
STAMP_AT = 4
"""Where the body begins in the template."""
SEED = 5
"""Of the choice, in every row."""
LONGEST = 6
"""Length of the longest template, in every row."""
_WIDTH = 7


class Templates(NamedTuple):
    """What messages are made of.

    Attributes:
        octets: uint8, all templates one behind the other.
        classes: int64 (templates, 7), what tells them apart.
    """

    octets: Octets
    classes: Int64


def make_templates(templates: Sequence[Octets], stamps: Sequence[int], mix: Sizes | None) -> Templates:
    """Put templates together, whose bodies begin at `stamps`; without a mix there is one."""
    joined = templates[0] if mix is None else np.concatenate(templates)
    lengths = np.array([len(one) for one in templates], np.int64)
    classes = np.zeros((len(templates), _WIDTH), np.int64)
    classes[:, FIRST] = np.cumsum(lengths) - lengths
    classes[:, OCTETS] = lengths
    classes[:, STAMP_AT] = stamps
    classes[:, LONGEST] = lengths.max()
    if mix is not None:
        classes[:, BOUND], classes[:, SIZE], classes[:, SEED] = mix.bounds, mix.sizes, mix.folded_seed
    return Templates(octets=joined, classes=classes)


@kernel_part
def class_of(classes: Int64, producer: int, seq: int) -> int:
    """Return the row of a message's class."""
    word = message_hash(classes[0, SEED], producer, seq)
    row = 0
    while word >= classes[row, BOUND]:
        row += 1
    return row
