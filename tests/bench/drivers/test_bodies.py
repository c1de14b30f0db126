"""Bodies of every size and content, under stamps of either form."""

import pytest

from bench.arrivals import stamp
from bench.arrivals.body_content import BodyContent
from bench.arrivals.sizes import Sizes
from bench.drivers.base import PortSpec
from bench.drivers.bodies import Bodies, stamp_reader

MIX = Sizes((40, 90, 300), (1.0, 1.0, 1.0), seed=3)


@pytest.mark.parametrize("compact", [False, True])
@pytest.mark.parametrize("content", [BodyContent(), BodyContent("random"), BodyContent("json")])
def test_a_stamp_is_written_over_the_content_of_each_size(content: BodyContent, *, compact: bool) -> None:
    """It is read back; behind it stands what was asked for, however many were stamped before."""
    bodies = Bodies(PortSpec(None, (), (), max(MIX.sizes), mix=MIX, body=content, compact=compact))
    read, size = stamp_reader(compact=compact), stamp.COMPACT_SIZE if compact else stamp.SIZE
    lengths = set()
    for seq in range(50):
        body = bytes(bodies.stamped(7, seq, 1_000 + seq, 2_000))
        assert read(body, 10_000) == (7, seq, 1_000 + seq, 1_000 + seq if compact else 2_000)
        assert body[size:] == content.fill(MIX.of(7, seq))[size:]
        lengths.add(len(body))
    assert lengths == set(MIX.sizes)


def test_bodies_of_others_have_no_stamp() -> None:
    """The compact form knows them by their length alone."""
    assert stamp_reader(compact=False)(bytes(200), 5) is None
    assert stamp_reader(compact=True)(bytes(11), 5) is None
