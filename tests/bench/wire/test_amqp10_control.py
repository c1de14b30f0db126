"""Frames that open and close things: ours are as the standard has them, the peer's are taken apart or refused."""

import cproton as pn
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from proton import Data

from bench.wire import amqp10_control as c
from bench.wire import amqp10_layout as x
from tests.bench.wire.amqp10_client import Client
from tests.bench.wire.amqp10_proton import ProtonPeer, exchange


def frame(code: int, *fields: bytes, kind: int = 0) -> bytes:
    """Make a frame by hand, of encoded fields."""
    payload = b"".join(fields)
    body = b"\x00\x53" + bytes((code, 0xC0, len(payload) + 1, len(fields))) + payload
    return (8 + len(body)).to_bytes(4, "big") + bytes((2, kind, 0, 0)) + body


FRAMES = {
    "open": (
        c.open_frame("c", None, max_frame=65_536, idle_timeout_ms=30_000),
        "00000025 02000000 005310 d0 00000015 00000005 a10163 40 7000010000 600000 7000007530",
    ),
    "begin": (
        c.begin_frame(incoming_window=300, outgoing_window=2, handle_max=7),
        "0000001f 02000000 005311 d0 0000000f 00000005 40 43 700000012c 5202 5207",
    ),
    "answer to a begin": (
        c.begin_frame(incoming_window=0, outgoing_window=0, handle_max=0, remote_channel=513),
        "0000001b 02000000 005311 d0 0000000b 00000005 600201 43 43 43 43",
    ),
    "sender": (
        c.attach_frame("n", 3, receives=False, settled=True, target="q"),
        (
            "0000003d 02000000 005312 d0 0000002d 0000000a a1016e 5203 42 5001 5000"
            "005328 d0 00000005 00000001 40 005329 d0 00000007 00000001 a10171 40 40 43"
        ),
    ),
    "receiver": (
        c.attach_frame("n", 300, receives=True, settled=False, source=c.SourceTerminus("q")),
        (
            "00000040 02000000 005312 d0 00000030 0000000a a1016e 700000012c 41 5000 5000"
            "005328 d0 00000007 00000001 a10171 005329 d0 00000005 00000001 40 40 40 40"
        ),
    ),
    "detach": (
        c.detach_frame(2, c.Condition("a:b", "why")),
        "0000002d 02000000 005316 d0 0000001d 00000003 5202 41 00531d d0 0000000e 00000002 a303613a62 a103776879",
    ),
    "end": (c.end_frame(), "00000015 02000000 005317 d0 00000005 00000001 40"),
    "close": (
        c.close_frame(c.Condition("a:b")),
        "00000026 02000000 005318 d0 00000016 00000001 00531d d0 0000000a 00000002 a303613a62 40",
    ),
}


@pytest.mark.parametrize("name", FRAMES)
def test_our_frames_are_those_of_the_standard(name: str) -> None:
    """Octet by octet, in the forms that Proton chooses."""
    made, octets = FRAMES[name]
    assert made == bytes.fromhex(octets)


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
    assert opened == c.Open(1_024, 0)
    assert isinstance(begun, c.Begin)
    assert (begun.channel, begun.next_outgoing_id) == (0, 0)
    assert isinstance(attached, c.Attach)
    assert (attached.name, attached.handle, attached.receives, attached.has_target) == ("s0", 0, True, True)
    assert detached == c.Detach(0)
    assert isinstance(closed, c.Close)
    assert str(closed.condition) == "amqp:connection:forced: maintenance"
    peer.close()


def test_absent_fields_have_the_standards_defaults() -> None:
    """A short open and attach say what the standard says of what they leave out."""
    assert c.parse(frame(0x10, b"\xa1\x01x")) == c.Open(x.MASK32, 0)
    assert c.parse(frame(0x12, b"\xa1\x01l", b"\x43", b"\x41")) == c.Attach("l", 0, True, False, False)  # noqa: FBT003
    assert c.parse(frame(0x17)) == c.End(None)
    assert c.parse(frame(0x16, b"\x52\x09")) == c.Detach(9)
    assert c.parse(frame(0x18, b"\x00\x53\x1d\xc0\x06\x01\xa3\x03a:b")) == c.Close(c.Condition("a:b"))
    assert c.parse(frame(0x18, b"\xa1\x03odd")) == c.Close(c.Condition("amqp:undefined-error", "'odd'"))


SOURCES = {
    "named": c.SourceTerminus("q"),
    "dynamic": c.SourceTerminus(""),
    "filtered": c.SourceTerminus("q", (("a:filter", "x > 1"), ("b:filter", 7), ("c:filter", True))),
}


@pytest.mark.parametrize("name", SOURCES)
def test_a_source_is_read_by_proton_and_by_us(name: str) -> None:
    """Address, whether the peer is to make the node, filters described by their names."""
    source = SOURCES[name]
    made = c.attach_frame("l", 0, receives=True, settled=False, source=source)
    peer = c.parse(made)
    assert isinstance(peer, c.Attach)
    assert (peer.source_address, peer.filters) == (source.address, {name for name, _ in source.filters})
    server = ProtonPeer()
    server.push(c.AMQP_HEADER + c.open_frame("x", None, max_frame=65_536))
    server.push(c.begin_frame(incoming_window=9, outgoing_window=9, handle_max=0) + made)
    seen = pn.pn_link_remote_source(server.links["l"])
    assert pn.pn_terminus_is_dynamic(seen) is (name == "dynamic")
    assert (pn.pn_terminus_get_address(seen) or "") == source.address
    filters = Data(pn.pn_terminus_filter(seen))
    filters.rewind()
    if filters.next() is not None:
        found = filters.get_object()
        assert {str(key): (str(value.descriptor), value.value) for key, value in found.items()} == {
            name: (name, value) for name, value in source.filters
        }
    else:
        assert not source.filters
    server.close()


def test_a_source_that_is_none_has_no_address() -> None:
    """Whatever stands in its place, and in place of its filters."""
    for source in (b"\x40", b"\x45", b"\x00\x53\x28\x45", b"\x00\x53\x28\x52\x07", b"\xa1\x01q"):
        peer = c.parse(frame(0x12, b"\xa1\x01l", b"\x43", b"\x41", b"\x40", b"\x40", source))
        assert isinstance(peer, c.Attach)
        assert (peer.source_address, peer.filters) == ("", frozenset())


def listed(fields: list[object], *, long: bool) -> bytes:
    """Return a list as a properties section has it, without its size."""
    data = Data()
    data.put_object(fields)
    encoded = bytes(data.encode())
    assert encoded[0] == 0xD0
    return encoded[:1] + encoded[5:] if long else b"\xc0" + encoded[8:]


@pytest.mark.parametrize("long", [False, True])
def test_reply_to_is_read_from_a_properties_section(long: bool) -> None:  # noqa: FBT001
    """In both forms of a list; empty where it is not there or no text."""
    assert c.reply_to(listed(["m", None, "to", None, "replies"], long=long)) == "replies"
    assert c.reply_to(listed(["m", None, "to", None, 7, "c"], long=long)) == ""
    assert c.reply_to(listed(["m"], long=long)) == ""


@given(octets=st.binary(max_size=60), first=st.sampled_from([b"\xc0", b"\xd0", b"\x45", b""]))
def test_any_properties_are_survived(octets: bytes, first: bytes) -> None:
    """Whatever they hold, the answer is a text."""
    assert isinstance(c.reply_to(first + octets), str)


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
    "no value": b"\x00\x00\x00\x08\x02\x00\x00\x00",
    "no performative": b"\x00\x00\x00\x09\x02\x00\x00\x00\x40",
    "payload": frame(0x17)[:3] + b"\x10" + frame(0x17)[4:] + b"\x00",
    "kind": frame(0x10, b"\xa1\x01x", kind=1),
    "unknown": frame(0x19),
    "list for a descriptor": b"\x00\x00\x00\x0b\x02\x00\x00\x00\x00\x45\x45",
    "no name": frame(0x12),
    "number for a name": frame(0x12, b"\x52\x01", b"\x43", b"\x41"),
    "missing window": frame(0x11, b"\x40", b"\x43"),
    "window too wide": frame(0x11, b"\x40", b"\x43", b"\x80\x00\x00\x00\x01\x00\x00\x00\x00"),
    "negative": frame(0x16, b"\x54\xff"),
    "role is a number": frame(0x12, b"\xa1\x01l", b"\x43", b"\x52\x01"),
    "bad utf-8": frame(0x10, b"\xa1\x01\xff"),
    "array of nothing": frame(0x10, b"\xe0\x01\x00"),
    "huge array of nothing": frame(0x10, b"\xf0\x00\x00\x00\x05\xff\xff\xff\xff\x45"),
    "map in a key": frame(0x10, b"\xc1\x05\x02\xc1\x01\x00\x40"),
    "descriptors of descriptors": frame(0x10, b"\x00" * 100 + b"\x40"),
    "deep": b"\x00\x00\x4e\x29\x02\x00\x00\x00" + b"\x00\x40" * 10_000 + b"\x45",
    "unknown constructor": frame(0x17, b"\x3f"),
    "unknown in a known row": frame(0x17, b"\x46"),
    "beyond unicode": frame(0x17, b"\x73\x00\x11\x00\x00"),
    "beyond all": frame(0x17, b"\x73\xff\xff\xff\xff"),
    "list too long": frame(0x17, b"\xc0\x02\x00\x40"),
    "list without count": frame(0x17, b"\xc0\x00"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_frames_are_refused(name: str) -> None:
    """With a WireError, whatever is wrong."""
    with pytest.raises(c.WireError):
        c.parse(WRONG[name])


@settings(deadline=None)
@given(
    which=st.sampled_from([made for made, _ in FRAMES.values()]),
    changes=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=4),
    cut=st.integers(0, 400),
)
def test_any_bytes_are_survived(which: bytes, changes: list[tuple[int, int]], cut: int) -> None:
    """Mutated and truncated frames give a frame or a WireError."""
    data = bytearray(which[: max(8, len(which) - cut % 8)])
    for at, value in changes:
        data[at % len(data)] = value
    data[:4] = len(data).to_bytes(4, "big")
    try:
        c.parse(bytes(data))
    except c.WireError as error:
        assert str(error)  # noqa: PT017  (that there is one at all is not demanded)
