"""Outcomes against a model: a dict of what is in flight, where the codec has a ring of serial numbers."""

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from bench.wire import amqp10_layout as x
from tests.bench.wire.amqp10_client import Client, template
from tests.examples import examples

RING = 16
STATES = {None: None, 0x23: None, 0x24: 1, 0x25: 2, 0x26: 3, 0x27: 2}
"""Delivery states and outcomes; a settled disposition without an outcome is a refusal."""


@dataclass
class Model:
    """What a sender knows, without any bound or wrap."""

    flying: dict[int, tuple[int, int]] = field(default_factory=dict)
    following: int = 0
    rows: list[tuple[int, int, int]] = field(default_factory=list)
    owed: set[int] = field(default_factory=set)

    def send(self, lane: int, seq: int) -> None:
        """Give a message the next delivery number."""
        self.flying[self.following] = (lane, seq)
        self.following += 1

    def dispose(self, first: int, last: int, state: int | None, *, settled: bool) -> None:
        """Settle what of a range is in flight."""
        outcome = STATES[state] or (2 if settled else None)
        for number in range(first, last + 1):
            if outcome and number in self.flying:
                lane, seq = self.flying.pop(number)
                self.rows.append((lane, seq, outcome))
                if not settled:
                    self.owed.add(number)


def disposition(first: int, last: int, state: int | None, *, settled: bool, role: bool = True) -> bytes:
    """Return the peer's frame."""
    ids = b"".join(b"\x70" + (number & x.MASK32).to_bytes(4, "big") for number in (first, last))
    fields = (b"\x41" if role else b"\x42") + ids + (b"\x41" if settled else b"\x42")
    fields += b"\x40" if state is None else b"\x00\x53" + bytes((state, 0x45))
    body = b"\x00\x53\x15\xc0" + bytes((len(fields) + 1, 5)) + fields
    return (8 + len(body)).to_bytes(4, "big") + b"\x02\x00\x00\x00" + body


SEND = st.tuples(st.just("send"), st.integers(0, 1))
DISPOSE = st.tuples(
    st.just("dispose"), st.integers(-3, 18), st.integers(-2, 20), st.sampled_from(list(STATES)), st.booleans()
)


@settings(deadline=None, max_examples=examples(3))
@given(
    steps=st.lists(st.one_of(SEND, SEND, DISPOSE), max_size=60),
    start=st.sampled_from([0, 1, 0xFFFFFFF0, 0xFFFFFFFF, 0x7FFFFFFF]),
    rows=st.sampled_from([1, 3, 1_000]),
)
def test_outcomes_are_those_of_the_model(steps: list[tuple[int, ...]], start: int, rows: int) -> None:
    """Any ranges, any order, repeated and overlapping, across the wrap of delivery-ids."""
    client, made, model = Client(senders=2, limit=100, ring=RING, rows=rows), template(32), Model()
    client.ready()
    client.conn[x.C_DELIVERY] = client.conn[x.C_OLDEST] = start
    for step in steps:
        oldest = min(model.flying, default=model.following)
        if step[0] == "send":
            taken = client.send(made, [step[1]], [model.following])
            assert taken == (1 if model.following - oldest < RING else 0)
            if taken:
                model.send(step[1], model.following)
        else:
            _, first, length, state, settled = step
            model.dispose(oldest + first, oldest + first + length, state, settled=bool(settled))
            begin = start + oldest + first
            client.feed(disposition(begin, begin + length, state, settled=bool(settled)))
    assert [row[:3] for row in client.settlements] == model.rows
    assert {row[3] for row in client.settlements} <= {client.now_ns}
    in_flight = [sum(lane == which for lane, _ in model.flying.values()) for which in range(2)]
    assert [client.lane(lane)[x.L_INFLIGHT] for lane in range(2)] == in_flight
    assert model.owed <= settled_by_us(client.take_out(), start)
    assert client.others_untouched()


def settled_by_us(data: bytes, start: int) -> set[int]:
    """Return the delivery numbers that we told the peer to forget."""
    found, at = set(), 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        if data[at + 10] == x.DISPOSITION:
            assert data[at + 14] == 0x42
            first, last = (int.from_bytes(data[at + n : at + n + 4], "big") for n in (16, 21))
            found |= {(first - start + n) & x.MASK32 for n in range(((last - first) & x.MASK32) + 1)}
        at += size
    return found


def test_the_senders_word_is_no_outcome() -> None:
    """A disposition of the other role, about deliveries that we received, settles nothing of ours."""
    client = Client(senders=1)
    client.ready()
    client.send(template(32), [0], [0])
    client.feed(disposition(0, 0, 0x24, settled=True, role=False))
    assert client.settlements == []
    assert client.lane(0)[x.L_INFLIGHT] == 1


def test_a_disposition_of_all_numbers_ends() -> None:
    """The widest range costs no more than the ring."""
    client = Client(senders=1)
    client.ready()
    client.send(template(32), [0, 0, 0], [7, 8, 9])
    client.feed(disposition(0, 0x7FFFFFFE, 0x24, settled=True))
    assert [row[1] for row in client.settlements] == [7, 8, 9]
