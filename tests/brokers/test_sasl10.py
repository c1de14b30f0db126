"""SASL over AMQP 1.0: against Proton's server, and against frames written by hand."""

import pytest
from proton import SASL, Transport

from brokers.endpoint import Sasl
from brokers.sasl10 import HEADER, SaslClient, SaslRefused

MECHANISMS = b"\x00\x53\x40"
OUTCOME = b"\x00\x53\x44"
SYMBOLS = b"\xf0\x00\x00\x00\x1e\x00\x00\x00\x03\xa3\x05PLAIN\x08EXTERNAL\x09ANONYMOUS"
OFFERS = {
    "array in list8": MECHANISMS + b"\xc0\x24\x01" + SYMBOLS,
    "array in list32": MECHANISMS + b"\xd0\x00\x00\x00\x27\x00\x00\x00\x01" + SYMBOLS,
    "ulong descriptor": b"\x00\x80\x00\x00\x00\x00\x00\x00\x00\x40\xc0\x24\x01" + SYMBOLS,
    "symbolic descriptor": b"\x00\xa3\x19amqp:sasl-mechanisms:list\xc0\x24\x01" + SYMBOLS,
}
ONE = MECHANISMS + b"\xc0\x0a\x01\xa3\x07GSSAPI!"
LETS_IN = OUTCOME + b"\xc0\x03\x01\x50\x00"


def frame(body: bytes, *, kind: int = 1) -> bytes:
    """Return a frame with this body."""
    return (8 + len(body)).to_bytes(4, "big") + bytes((2, kind, 0, 0)) + body


@pytest.mark.parametrize("offer", OFFERS.values(), ids=OFFERS)
@pytest.mark.parametrize(
    ("sasl", "init"),
    [
        ("plain", b"\xa3\x05PLAIN\xa0\x0b\x00ann\x00secret"),
        ("external", b"\xa3\x08EXTERNAL\xa0\x00"),
        ("anonymous", b"\xa3\x09ANONYMOUS\xa0\x00"),
    ],
)
def test_each_mechanism_is_one_frame_each_way(offer: bytes, sasl: Sasl, init: bytes) -> None:
    """Byte by byte; what follows the outcome is AMQP's and is handed on."""
    client = SaslClient(sasl, "ann", "secret")
    assert bytes(client.output) == HEADER
    stream = HEADER + frame(offer) + frame(LETS_IN)
    rest = b"".join(client.feed(stream[at : at + 1]) for at in range(len(stream)))
    assert client.done
    assert rest == b""
    sent = bytes(client.output[len(HEADER) :])
    assert int.from_bytes(sent[:4], "big") == len(sent)
    assert sent.endswith(init)
    whole = SaslClient(sasl, "ann", "secret")
    assert whole.feed(stream + b"AMQP\x00\x01\x00\x00") == b"AMQP\x00\x01\x00\x00"
    assert whole.output == client.output


def test_protons_server_lets_it_in() -> None:
    """An independent decoder takes what is sent, and its own frames are understood."""
    server = Transport(Transport.SERVER)
    sasl = server.sasl()
    sasl.allowed_mechs("ANONYMOUS")
    client = SaslClient("anonymous")
    for _ in range(3):
        server.push(bytes(client.output))
        client.output.clear()
        pending = server.pending()
        client.feed(bytes(server.peek(pending)))
        server.pop(pending)
    assert client.done
    assert (sasl.outcome, sasl.mech) == (SASL.OK, "ANONYMOUS")


@pytest.mark.parametrize(
    ("sasl", "stream", "says"),
    [
        ("plain", HEADER + frame(OFFERS["array in list8"]) + frame(OUTCOME + b"\xc0\x03\x01\x50\x01"), "user 'ann'"),
        ("external", HEADER + frame(OUTCOME + b"\xc0\x03\x01\x50\x01"), "SASL EXTERNAL: authentication failed"),
        ("plain", HEADER + frame(OUTCOME + b"\xc0\x03\x01\x50\x02"), "SASL PLAIN: its system failed"),
        ("plain", HEADER + frame(OUTCOME + b"\xc0\x03\x01\x50\x63"), "outcome ubyte"),
        ("plain", HEADER + frame(OUTCOME + b"\x45"), "outcome None"),
        ("plain", HEADER + frame(OUTCOME + b"\xc0\x03\x01\xa0\x00"), "SASL PLAIN: outcome"),
        ("external", HEADER + frame(ONE), "it offers SASL GSSAPI! and not EXTERNAL"),
        ("external", HEADER + frame(MECHANISMS + b"\x45"), "it offers SASL nothing and not EXTERNAL"),
        ("plain", HEADER + frame(b"\x00\x53\x42\xc0\x03\x01\xa0\x00"), "more than one step"),
        ("plain", b"AMQP\x00\x00\x09\x01", "does not speak SASL over AMQP 1.0"),
        ("plain", b"\x15\x03\x01\x00\x02\x02\x0a", "does not speak SASL over AMQP 1.0"),
        ("plain", HEADER + frame(LETS_IN, kind=0), "no frame of SASL"),
        ("plain", HEADER + b"\x00\x00\x00\x07\x02\x01\x00\x00", "no frame of SASL"),
        ("plain", HEADER + b"\x00\x10\x00\x00\x02\x01\x00\x00", "no frame of SASL"),
        ("plain", HEADER + frame(b"\x00\x53\x40\xc0\xff\x01"), "no frame of SASL"),
        ("plain", HEADER + frame(b"\x50\x01"), "no frame of SASL"),
        ("plain", HEADER + frame(b""), "no frame of SASL"),
        ("plain", HEADER + frame(MECHANISMS + b"\xc0\x04\x01\xa3\x01\xff"), "no frame of SASL"),
        ("plain", HEADER + frame(MECHANISMS + b"\xc0\x06\x01\x73\xff\xff\xff\xff"), "no frame of SASL"),
        ("plain", HEADER + frame(MECHANISMS + b"\xc0\x05\x01\xc1\x03\x02\x45\x40"), "no frame of SASL"),
        ("plain", HEADER + frame(b"\x00\x40" * 1_000 + b"\x45"), "no frame of SASL"),
        ("plain", HEADER + frame(MECHANISMS + b"\xc0\x03\x01\x52\x07"), r"it offers SASL uint\(7\) and not PLAIN"),
        ("plain", HEADER + frame(MECHANISMS + b"\xc0\x05\x01\xc0\x02\x01\x41"), "it offers SASL True and not PLAIN"),
    ],
)
def test_what_does_not_let_us_in_is_told(sasl: Sasl, stream: bytes, says: str) -> None:
    """And never with the password."""
    client = SaslClient(sasl, "ann", "secret")
    with pytest.raises(SaslRefused, match=says) as caught:
        client.feed(stream)
    assert not client.done
    assert "secret" not in str(caught.value)


def test_nothing_is_taken_for_an_answer_too_soon() -> None:
    """Half a header, half a frame: it waits."""
    client = SaslClient("plain", "ann", "secret")
    for part in (HEADER[:3], HEADER[3:], frame(ONE)[:20]):
        assert client.feed(part) == b""
    assert bytes(client.output) == HEADER
