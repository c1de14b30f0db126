"""Hostile bytes give a status: no hang, no reading beyond the end, no numbers made of nothing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.drivers.wire.receive_loop import COMPILED
from bench.wire import amqp10_layout as x
from bench.wire.amqp10_control import Condition, WireError, begin_frame, close_frame, open_frame
from tests.bench.wire.amqp10_client import Client, ProtocolError, template
from tests.bench.wire.test_amqp10_scan import Stream, streams
from tests.examples import examples
from tests.laws.test_amqp10_settlement import disposition

pytestmark = pytest.mark.compiled

ROOT = Path(__file__).parents[3]
CONTROLS = [
    open_frame("peer", None, max_frame=512),
    begin_frame(incoming_window=9, outgoing_window=9, handle_max=1),
    close_frame(Condition("a:b", "c")),
]
CHANGES = st.lists(st.tuples(st.integers(0, 5_000), st.integers(0, 255)), max_size=6)


def outcome(data: bytes, canary: int, step: int = 0) -> tuple[object, ...]:
    """Feed bytes to a client with messages in flight; return all that can be seen of it."""
    client = Client(senders=1, receivers=1, canary=canary, rows=7, ring=16, prefetch=5)
    client.ready()
    client.tables.lanes[client.lane0 : client.lane0 + 2, x.L_HANDLE] = 1, 0
    client.send(template(32), [0] * 9, list(range(9)))
    failed = ""
    try:
        for at in range(0, len(data), step or len(data) or 1):
            client.feed(data[at : at + (step or len(data))], answers=False)
    except (ProtocolError, WireError) as error:
        failed = str(error)
    assert client.others_untouched()
    assert all(row[0] == 0 and 0 <= row[1] < 9 and 1 <= row[2] <= 3 for row in client.settlements)
    assert len({row[1] for row in client.settlements}) == len(client.settlements)
    assert {row[0] for row in client.deliveries} <= {0}
    rest = "" if failed else client.rest
    return failed, rest, client.deliveries, client.settlements, bytes(client.out), client.tally.tolist()


@settings(deadline=None, max_examples=examples(1.5) if COMPILED else 20)
@given(
    stream=streams(),
    changes=CHANGES,
    cut=st.integers(0, 5_000),
    others=st.lists(st.sampled_from([*CONTROLS, disposition(0, 3, 0x24, settled=True)]), max_size=2),
)
def test_mutated_streams_are_survived(
    stream: Stream, changes: list[tuple[int, int]], cut: int, others: list[bytes]
) -> None:
    """Whole and in pieces they give the same, whatever lies behind the last byte."""
    data = bytearray(b"".join(others) + stream.data)
    for at, value in changes:
        data[at % len(data)] = value
    whole = bytes(data[: len(data) - (cut % len(data) if cut % 3 == 0 else 0)])
    first = outcome(whole, 0x00)
    assert outcome(whole, 0xFF) == first
    assert outcome(whole, 0x53, step=1 + cut % 50) == first


@settings(deadline=None, max_examples=examples(4) if COMPILED else 50)
@given(noise=st.binary(max_size=200))
def test_noise_is_survived(noise: bytes) -> None:
    """Bytes that are no stream at all, alone and behind a plausible frame header."""
    for data in (noise, (8 + len(noise)).to_bytes(4, "big") + b"\x02\x00\x00\x00" + noise):
        first = outcome(data, 0x00)
        assert outcome(data, 0xFF) == first
        assert outcome(data, 0x70, step=1) == first


SCENE = """
from tests.bench.wire.amqp10_client import Client, template
a, b = Client(senders=2, limit=9, out_size=600), Client(receivers=2, prefetch=6, ack_batch=2, rows=3)
a.ready(peer_frame=512, window=40)
b.ready()
made = template(900, durable=True)
for n in range(12):
    taken = a.send(made, [n % 2], [n])
    data = a.take_out()
    for at in range(0, len(data), 97):
        b.feed(data[at : at + 97])
    a.feed(b.take_out())
b.answer(flush=True)
a.feed(b.take_out())
print(a.room(made), b.deliveries, a.settlements, a.tally, b.tally, a.tables.conns.tolist(), b.tables.lanes.tolist())
"""


ALONE = """
from bench.wire.amqp10_control import WireError
from bench.drivers.wire.receive_loop import COMPILED
from tests.bench.wire.amqp10_client import Client, ProtocolError
from tests.evidence.fuzz10 import seeds
fed = failed = 0
for seed in seeds():
    for at in range(len(seed)):
        for form in (seed[at], 0x00, 0x56, 0x70, 0x80, 0xA0, 0xB0, 0xD0):
            data = seed[:at] + bytes((form,)) + seed[at + 1 :]
            client = Client(senders=1, receivers=1, margin=0)
            client.ready()
            for part in (data[: at + 1], data) if at % 8 == 0 else (data,):
                fed += 1
                try:
                    client.feed(part)
                except (ProtocolError, WireError):
                    failed += 1
print(fed, failed)
"""


def uncompiled(program: str, switch: str) -> str:
    """Run a program with the compiler switched on ("0") or off ("1"); return what it printed."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=ROOT,
        env={**os.environ, "NUMBA_DISABLE_JIT": switch},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_nothing_is_read_outside_of_the_buffer() -> None:
    """Without the compiler numpy checks each index: each byte of each kind of frame, in turn, is a constructor."""
    fed, failed = map(int, uncompiled(ALONE, "1").split())
    assert 0 < failed < fed


def test_it_is_the_same_without_the_compiler() -> None:
    """A conversation with parts, acknowledgements and credit gives the same numbers either way."""
    answers = [uncompiled(SCENE, switch) for switch in ("0", "1")]
    assert answers[0] == answers[1]
    assert "(1, 41, 11, 3, 5, 5, 0)" in answers[0]
