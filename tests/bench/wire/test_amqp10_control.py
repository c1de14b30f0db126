"""Frames that open and close things: ours are read by Proton, and Proton's and any legal ones by us."""

from typing import Any

import cproton as pn
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from proton import Array, Data, symbol

from bench.wire import amqp10_control as c
from bench.wire import amqp10_frames as f
from bench.wire import amqp10_layout as x
from bench.wire import amqp10_values as v
from bench.wire.amqp10_frames import control_frame as frame
from tests.bench.wire.amqp10_client import Client
from tests.bench.wire.amqp10_proton import ProtonPeer, exchange
from tests.examples import examples


def plain(value: Any) -> Any:
    """Return what Proton decoded in our own words."""
    if type(value).__name__ == "Described":
        return v.Described(plain(value.descriptor), plain(value.value))
    if isinstance(value, Array):
        return [plain(element) for element in value.elements]
    if isinstance(value, list):
        return [plain(element) for element in value]
    if isinstance(value, dict):
        return {plain(key): plain(inner) for key, inner in value.items()}
    return bytes(value) if isinstance(value, memoryview) else value


def by_proton(frame: bytes) -> Any:
    """Decode a frame's performative with Proton."""
    data = Data()
    assert data.decode(frame[8:]) == len(frame) - 8
    data.rewind()
    data.next()
    return plain(data.get_object())


FRAMES = {
    "init": f.sasl_init("PLAIN", f.plain("u", "p"), "host"),
    "open": f.open_frame("c" * 300, None, max_frame=65_536, idle_timeout_ms=30_000),
    "begin": f.begin_frame(incoming_window=300, outgoing_window=2, handle_max=7),
    "sender": f.attach_sender("n", 3, "q", settled=True, capabilities=("queue",)),
    "receiver": f.attach_receiver("n", 300, "q", settled=False, capabilities=("queue", "shared")),
    "detach": f.detach_frame(2, c.Condition("a:b", "why")),
    "end": f.end_frame(),
    "close": f.close_frame(c.Condition("a:b")),
}


@pytest.mark.parametrize("name", FRAMES)
def test_our_frames_say_the_same_to_proton(name: str) -> None:
    """Our own decoder and Proton's agree on every value that we write."""
    frame = FRAMES[name]
    assert int.from_bytes(frame[:4], "big") == len(frame)
    ours, at = v.decode(frame, 8, len(frame))
    assert at == len(frame)
    assert ours == by_proton(frame)


def test_what_is_asked_for_is_in_the_frames() -> None:
    """Field by field, where the standard has them."""
    assert by_proton(FRAMES["init"]) == v.Described(0x41, ["PLAIN", b"\0u\0p", "host"])
    assert by_proton(FRAMES["open"]) == v.Described(0x10, ["c" * 300, None, 65_536, 0, 30_000])
    assert by_proton(FRAMES["begin"]) == v.Described(0x11, [None, 0, 300, 2, 7])
    sender, receiver = by_proton(FRAMES["sender"]).value, by_proton(FRAMES["receiver"]).value
    assert sender[:5] == ["n", 3, False, 1, 0]
    assert (sender[5], sender[6]) == (v.Described(0x28, []), v.Described(0x29, ["q", *[None] * 5, "queue"]))
    assert sender[9] == 0
    assert receiver[:5] == ["n", 300, True, 0, 0]
    assert receiver[5] == v.Described(0x28, ["q", *[None] * 9, ["queue", "shared"]])
    assert by_proton(FRAMES["detach"]) == v.Described(0x16, [2, True, v.Described(0x1D, ["a:b", "why"])])


def test_each_frame_of_the_peer_is_taken_apart() -> None:
    """From a conversation with Proton: open to close, with a reason."""
    client, peer = Client(senders=1), ProtonPeer(max_frame=1_024)
    client.hello()
    exchange(client, peer)
    pn.pn_condition_set_name(pn.pn_connection_condition(peer.amqp), "amqp:connection:forced")
    pn.pn_condition_set_description(pn.pn_connection_condition(peer.amqp), "maintenance")
    pn.pn_link_close(peer.links["s0"])
    pn.pn_connection_close(peer.amqp)
    exchange(client, peer)
    opened, begun, attached, detached, closed = client.controls
    assert isinstance(opened, c.Open)
    assert (opened.max_frame, opened.idle_timeout_ms) == (1_024, 0)
    assert isinstance(begun, c.Begin)
    assert (begun.channel, begun.remote_channel, begun.next_outgoing_id) == (0, 0, 0)
    assert isinstance(attached, c.Attach)
    assert (attached.name, attached.handle, attached.receives, attached.has_target) == ("s0", 0, True, True)
    assert detached == c.Detach(0, closed=True)
    assert isinstance(closed, c.Close)
    assert str(closed.condition) == "amqp:connection:forced: maintenance"
    peer.close()


def test_sasl_is_understood() -> None:
    """Mechanisms as an array, as RabbitMQ and Proton have them, or as one symbol."""
    several = b"\xe0\x12\x02\xa3\x05PLAIN\x09ANONYMOUS"
    assert c.parse(frame(0x40, several, kind=1)) == c.Mechanisms(("PLAIN", "ANONYMOUS"))
    assert c.parse(frame(0x40, v.symbol("PLAIN"), kind=1)) == c.Mechanisms(("PLAIN",))
    assert c.parse(frame(0x44, v.ubyte(1), kind=1)) == c.SaslOutcome(1)


def test_absent_fields_have_the_standards_defaults() -> None:
    """A short open and attach say what the standard says of what they leave out."""
    assert c.parse(frame(0x10, v.string("x"))) == c.Open("x", x.MASK32, 0xFFFF, 0, {})
    assert c.parse(frame(0x12, v.string("l"), v.uint(0), v.boolean(True))) == c.Attach("l", 0, True, False, False)  # noqa: FBT003
    assert c.parse(frame(0x17)) == c.End(None)
    assert c.parse(frame(0x16, v.uint(9))) == c.Detach(9, closed=False, condition=None)
    assert c.parse(frame(0x18, v.described(0x1D, v.listed(v.symbol("a:b"))))) == c.Close(c.Condition("a:b"))
    assert c.parse(frame(0x18, v.string("odd"))) == c.Close(c.Condition("amqp:undefined-error", "'odd'"))


def test_numeric_symbolic_and_wide_descriptors_are_one() -> None:
    """An end in each form."""
    for described in (
        b"\x53\x17",
        b"\x80" + bytes(7) + b"\x17",
        b"\xa3\x0damqp:end:list",
        b"\xb3\0\0\0\x0damqp:end:list",
    ):
        body = b"\x00" + described + b"\x45"
        assert c.parse((8 + len(body)).to_bytes(4, "big") + b"\x02\0\0\0" + body) == c.End(None)


WRONG = {
    "short": b"\x00\x00\x00\x07\x02\x00\x00",
    "size": b"\x00\x00\x00\x09\x02\x00\x00\x00",
    "offset": b"\x00\x00\x00\x08\x03\x00\x00\x00",
    "no performative": b"\x00\x00\x00\x09\x02\x00\x00\x00\x40",
    "payload": frame(0x17)[:3] + b"\x0d" + frame(0x17)[4:] + b"\x00",
    "kind": frame(0x10, v.string("x"), kind=1),
    "unknown": frame(0x19),
    "no container": frame(0x10),
    "number for a name": frame(0x10, v.uint(1)),
    "missing window": frame(0x11, b"\x40", v.uint(0)),
    "window too wide": frame(0x11, b"\x40", v.uint(0), b"\x80\x00\x00\x00\x01\x00\x00\x00\x00", v.uint(1)),
    "negative": frame(0x16, b"\x54\xff"),
    "role is a number": frame(0x12, v.string("l"), v.uint(0), v.uint(1)),
    "bad utf-8": frame(0x10, b"\xa1\x01\xff"),
    "bad boolean": frame(0x12, v.string("l"), v.uint(0), b"\x56\x02"),
    "array of nothing": frame(0x40, b"\xe0\x01\x00", kind=1),
    "huge array of nothing": frame(0x40, b"\xf0\x00\x00\x00\x05\xff\xff\xff\xff\x45", kind=1),
    "odd map": frame(0x10, v.string("x"), *[b"\x40"] * 8, b"\xc1\x02\x01\x40"),
    "map in a key": frame(0x10, v.string("x"), *[b"\x40"] * 8, b"\xc1\x05\x02\xc1\x01\x00\x40"),
    "deep": frame(0x10, v.string("x"), *[b"\x40"] * 8, b"\x00" * 100 + b"\x40"),
    "unknown constructor": frame(0x17, b"\x3f"),
    "unknown in a known row": frame(0x17, b"\x46"),
    "beyond unicode": frame(0x17, b"\x73\x00\x11\x00\x00"),
    "list too long": frame(0x17, b"\xc0\x02\x00\x40"),
    "list without count": frame(0x17, b"\xc0\x00"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_frames_are_refused(name: str) -> None:
    """With a WireError, whatever is wrong."""
    with pytest.raises(v.WireError):
        c.parse(WRONG[name])


@settings(deadline=None)
@given(
    which=st.sampled_from([*FRAMES.values(), frame(0x40, b"\xe0\x12\x02\xa3\x05PLAIN\x09ANONYMOUS", kind=1)]),
    changes=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=4),
    cut=st.integers(0, 400),
)
def test_any_bytes_are_survived(which: bytes, changes: list[tuple[int, int]], cut: int) -> None:
    """Mutated and truncated frames give a frame or a WireError."""
    data = bytearray(which[: max(8, len(which) - cut % 8)])
    for at, value in changes:
        data[at % len(data)] = value
    try:
        c.parse(bytes(data))
    except v.WireError as error:
        assert str(error)  # noqa: PT017  (that there is one at all is not demanded)


@pytest.mark.compiled
@settings(deadline=None, max_examples=examples(3))
@given(st.data())
def test_values_are_those_of_proton(data: st.DataObject) -> None:
    """Everything that Proton can encode is decoded to what went in."""
    leaf = st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**63 - 1),
        st.text(max_size=300),
        st.binary(max_size=300),
        st.text("abc:-", max_size=20).map(symbol),
        st.floats(allow_nan=False),
    )
    value = data.draw(
        st.recursive(
            leaf,
            lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
            max_leaves=12,
        )
    )
    encoder = Data()
    encoder.put_object(value)
    whole = encoder.encode()
    assert v.decode(whole, 0, len(whole)) == (value, len(whole))
    for end in range(len(whole)):
        with pytest.raises(v.WireError):
            v.decode(whole, 0, end)


def test_every_fixed_type_is_decoded() -> None:
    """Of the types that frames rarely have, one value each."""
    for data, value in (
        (b"\x60\x01\x02", 258), (b"\x61\xff\xfe", -2), (b"\x51\xff", -1), (b"\x54\xff", -1), (b"\x55\xfe", -2),
        (b"\x71\xff\xff\xff\xff", -1), (b"\x72\x3f\x80\x00\x00", 1.0), (b"\x73\x00\x00\x00\x41", "A"),
        (b"\x74abcd", b"abcd"), (b"\x80" + bytes(7) + b"\x05", 5), (b"\x81" + b"\xff" * 8, -1),
        (b"\x82\x3f\xf0" + bytes(6), 1.0), (b"\x83" + bytes(8), 0), (b"\x84abcdefgh", b"abcdefgh"),
        (b"\x94" + bytes(16), bytes(16)), (b"\x98" + bytes(16), bytes(16)), (b"\x44", 0),
        (b"\x53\x07", 7),
        (b"\x50\x07", 7),
        (b"\xe0\x08\x02\x00\xa3\x01d\x52\x01\x02", [v.Described("d", 1), v.Described("d", 2)]),
    ):  # fmt: skip
        assert v.decode(data, 0, len(data)) == (value, len(data))
