"""What stands before a body is what Proton's decoder reads, whatever differs from message to message."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from proton import Message

from bench.arrivals import stamp
from bench.arrivals.body_content import BodyContent
from bench.arrivals.keys import by_producer, drawn, in_turn, keys_of
from bench.drivers.base import Properties
from bench.wire import amqp10_layout as x
from bench.wire.amqp10_body import opening
from bench.wire.amqp10_front import Varying, make_front, text_value
from bench.wire.amqp10_outgoing import Template, make_form, make_template
from bench.wire.octets import Int64
from tests.bench.wire.amqp10_client import GUARDS, Client

ALL = Properties(
    headers=(("n", 7), ("big", -(2**62)), ("yes", True), ("no", False), ("text", "o-{seq}-{seq}"), ("empty", "")),
    content_type="application/json",
    content_encoding="gzip",
    priority=9,
    correlation_id="c{seq}",
    expiration_ms=5_000,
    message_id="m-{seq}",
    type="kind",
    app_id="me",
)
BARE = Properties()


class Sender:
    """A client whose messages differ by more than their stamps."""

    def __init__(
        self, front: Any, texts: list[bytes], choice: Int64, *, size: int = 100, lanes: int = 1, **form: Any
    ) -> None:
        """Make its tables."""
        self.client = Client(senders=lanes, limit=0)
        spans = np.zeros((len(texts), 2), np.int64)
        spans[:, 1] = [len(text) for text in texts]
        spans[:, 0] = np.cumsum(spans[:, 1]) - spans[:, 1]
        self.client.tables = self.client.tables._replace(
            form=make_form(front, **form),
            choice=choice,
            texts=np.frombuffer(b"".join(texts) + b"\0", np.uint8).copy(),
            spans=spans,
        )
        self.made: Template = make_template(size, front=front, content=BodyContent("random"))

    def sent(self, lanes: list[int], seqs: list[int], *, peer_frame: int = 65_536) -> list[Message]:
        """Return messages as Proton decodes them."""
        self.client.ready(peer_frame=peer_frame)
        assert self.client.send(self.made, lanes, seqs) == len(seqs)
        data, whole, found = self.client.take_out(), b"", []
        while data:
            size = int.from_bytes(data[:4], "big")
            assert size <= peer_frame
            whole += data[x.HEAD : size]
            if data[32] == 0x42:  # more = false
                message = Message()
                message.decode(whole)
                found.append(message)
                whole = b""
            data = data[size:]
        assert not whole
        assert self.client.others_untouched()
        return found


def test_without_properties_it_is_the_header_alone() -> None:
    """To the octet what a port sent that asks for nothing; and nothing differs but the stamp."""
    for durable in (False, True):
        front = make_front(BARE, durable=durable)
        assert make_template(300, front=front).frame.tobytes() == make_template(300, durable=durable).frame.tobytes()
        assert front.octets + b"\0\x53\x75\xb0\0\0\x01\x2c" == opening(300, durable=durable)
        assert len(make_form(front)) == 0


@pytest.mark.parametrize("peer_frame", [512, 65_536])
@pytest.mark.parametrize("seq", [0, 7, 2**40 - 1])
def test_every_property_is_read(seq: int, peer_frame: int) -> None:
    """Header, properties, application properties; digits wherever they were asked for; the body behind its stamp."""
    sender = Sender(make_front(ALL, durable=True, to="t{seq}", subject="s"), [], np.zeros(0, np.int64), size=700)
    (message,) = sender.sent([0], [seq], peer_frame=peer_frame)
    digits = f"{seq:013}"
    assert (message.durable, message.priority, message.ttl) == (True, 9, 5.0)
    assert (message.id, message.correlation_id) == (f"m-{digits}", f"c{digits}")
    assert (message.address, message.subject, message.reply_to) == ("t{seq}", "s", None)
    assert (message.content_type, message.content_encoding) == ("application/json", "gzip")
    assert message.properties == {
        "n": 7,
        "big": -(2**62),
        "yes": True,
        "no": False,
        "text": f"o-{digits}-{digits}",
        "empty": "",
        "type": "kind",
        "app_id": "me",
    }
    assert stamp.unpack(message.body)[:2] == (40, seq)
    assert message.body[stamp.SIZE :] == BodyContent("random").fill(700)[stamp.SIZE :]


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="{}"), max_size=300)


@given(name=TEXT.filter(bool), text=TEXT, identity=TEXT, number=st.integers(-(2**63), 2**63 - 1), varies=st.booleans())
def test_any_text_is_read(name: str, text: str, identity: str, number: int, varies: bool) -> None:  # noqa: FBT001
    """In forms of one and of four octets of length; also where texts are put in."""
    asked = Properties(headers=((name, text), (name + "2", number)), message_id=identity, correlation_id=text)
    varying = Varying(destination=varies, reply_to=varies)
    front = make_front(asked, durable=False, varying=varying)
    texts = [text_value(text) + text_value(name), *[b""] * GUARDS, text_value(identity)]
    (message,) = Sender(front, texts, by_producer(1), keyed=varies, replies=1 if varies else -1).sent([0], [1])
    assert message.properties == {name: text, name + "2": number}
    assert ((message.id or ""), (message.correlation_id or "")) == (identity, text)
    if varies:
        assert ((message.address or ""), message.subject, (message.reply_to or "")) == (text, name, identity)


KEYS = ["a", "b" * 200, "c.1", "d" * 300]
CHOICES = {
    "by producer": by_producer(4),
    "in turn": in_turn(4),
    "drawn": drawn([5, 1, 1, 3], 9),
}


@pytest.mark.parametrize("peer_frame", [1_024, 65_536])
@pytest.mark.parametrize("how", CHOICES)
@pytest.mark.parametrize("size", [32, 2_000])
def test_each_message_has_its_key(how: str, size: int, peer_frame: int) -> None:
    """In `to` or `subject`, whichever the texts are; large messages go out in several frames."""
    choice = CHOICES[how]
    texts = [text_value("") + text_value(key) for key in KEYS[:2]]
    texts += [text_value(f"/exchanges/x/{key}") + text_value("") for key in KEYS[2:]]
    front = make_front(Properties(message_id="{seq}"), durable=True, varying=Varying(destination=True))
    sender = Sender(front, texts, choice, size=size, lanes=2, keyed=True)
    lanes = [0, 1] * 10
    found = sender.sent(lanes, list(range(20)), peer_frame=peer_frame)
    for lane, seq, message in zip(lanes, range(20), found, strict=True):
        key = int(keys_of(choice, 40 + lane, seq, 1)[0])
        wanted = (None, KEYS[key]) if key < 2 else (f"/exchanges/x/{KEYS[key]}", None)
        assert (message.address, message.subject) == wanted
        assert message.id == f"{seq:013}"
        assert stamp.unpack(message.body)[:2] == (40 + lane, seq)
        assert len(message.body) == size


@pytest.mark.parametrize("window", [0, 1])
def test_a_message_that_was_parked_is_the_same(window: int) -> None:
    """What the session's window kept back has its own key and digits."""
    front = make_front(Properties(message_id="{seq}"), durable=False, varying=Varying(destination=True))
    sender = Sender(front, [text_value(key) + text_value("") for key in KEYS], in_turn(4), size=1_500, keyed=True)
    client = sender.client
    client.ready(window=window, peer_frame=1_024)
    assert client.send(sender.made, [0, 0], [3, 4]) == 1
    client.conn[x.C_OUT_WINDOW] = 100
    client.resume(sender.made)
    data, whole = client.take_out(), b""
    while data:
        size = int.from_bytes(data[:4], "big")
        whole, data = whole + data[x.HEAD : size], data[size:]
    message = Message()
    message.decode(whole)
    assert (message.address, message.id) == (KEYS[(40 + 3) % 4], f"{3:013}")
    assert stamp.unpack(message.body)[:2] == (40, 3)


@pytest.mark.parametrize("size", [12, 40])
@pytest.mark.parametrize("seq", [0, 2**32 - 1])
def test_compact_stamps_are_written_and_read(size: int, seq: int) -> None:
    """By kernels as by `bench.arrivals.stamp`; the time is unfolded when it is read."""
    producer, now_ns = 2**20 - 1, 2**50 + 12_345
    sender = Sender(make_front(BARE, durable=False), [], np.zeros(0, np.int64), size=size, compact=True)
    sender.client.ready()
    sender.client.lane(0)[x.L_PRODUCER] = producer
    sender.client.send(sender.made, [0], [seq], intended_ns=now_ns - 99)
    wire = sender.client.take_out()
    assert stamp.unpack_compact(wire[-size:], now_ns) == (producer, seq, now_ns - 99, now_ns - 99)
    for step in (1, 7, 1_000):
        receiver = Client(receivers=1)
        receiver.ready()
        receiver.lane(0)[x.L_STAMP] = stamp.COMPACT_SIZE
        receiver.now_ns = now_ns
        receiver.feed_all(wire[at : at + step] for at in range(0, len(wire), step))
        assert receiver.deliveries == [(0, producer, seq, now_ns - 99, now_ns - 99, now_ns, 0)]


def test_an_attempt_is_no_part_of_the_number() -> None:
    """Of the word at offset 8 the lower 56 bits are the sequence number."""
    body = bytearray(40)
    stamp.pack_into(body, 3, 2**40, 1, 2, attempt=5)
    receiver, sender = Client(receivers=1), Client(senders=1)
    receiver.ready()
    sender.ready()
    made = make_template(40)
    sender.send(made, [0], [0])
    wire = sender.take_out()[:-40] + bytes(body)
    receiver.feed(wire)
    assert receiver.deliveries == [(0, 3, 2**40, 1, 2, 5, 0)]
