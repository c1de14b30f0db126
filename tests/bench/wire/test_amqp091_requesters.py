"""Where requesters want their replies: the compiled scan finds what pika wrote, once for each producer."""

from hypothesis import given
from hypothesis import strategies as st
from pika import spec

from bench.wire.amqp091_requesters import KNOWN, make_requesters, read_letters
from tests.bench.wire.amqp091_twin import CHANNELS, Fast, frames, stamped

names = st.text(max_size=20)
properties = st.builds(
    spec.BasicProperties,
    content_type=st.none() | names,
    content_encoding=st.none() | names,
    headers=st.none() | st.dictionaries(st.text(min_size=1, max_size=9), st.integers(0, 9) | names, max_size=3),
    delivery_mode=st.none() | st.integers(1, 2),
    priority=st.none() | st.integers(0, 9),
    correlation_id=st.none() | names,
    reply_to=st.none() | names | st.just("r" * 255),
    message_id=st.none() | names,
    timestamp=st.none() | st.integers(0, 2**40),
)


def answering(letters: int = 64) -> Fast:
    """Return the scan of a port that answers."""
    fast = Fast()
    fast.tables = fast.tables._replace(requesters=make_requesters(CHANNELS, letters))
    return fast


def letters(fast: Fast) -> list[tuple[int, int, str]]:
    """Return who has become known since the last call."""
    return list(read_letters(fast.tables.requesters, CHANNELS, fast.cursor))


def request(producer: int, asked: spec.BasicProperties, channel: int = 1, piece: int = 1_000) -> bytes:
    """Return the frames of a request."""
    method = spec.Basic.Deliver("tag", 1, exchange="", routing_key="q")
    return b"".join(frames(method, channel, stamped(producer, 1, 40), piece, asked))


@given(
    st.lists(st.tuples(st.integers(0, 5), properties, st.integers(1, CHANNELS), st.sampled_from([7, 99])), max_size=8),
    st.integers(1, 400),
)
def test_the_first_address_of_each_producer_is_kept(
    requests: list[tuple[int, spec.BasicProperties, int, int]], step: int
) -> None:
    """With the lane it came on, however it is cut; those that name none are asked again."""
    octets, there = b"", {}
    for producer, asked, channel, piece in requests:
        octets += request(producer, asked, channel, piece)
        if asked.reply_to:
            there.setdefault(producer, (channel - 1, asked.reply_to))
    for pieces in ([octets], [octets[at : at + step] for at in range(0, len(octets), step)]):
        fast = answering()
        fast.feed(pieces)
        assert letters(fast) == [(producer, *where) for producer, where in there.items()]
        assert letters(fast) == []
        fast.feed([octets])
        assert letters(fast) == []


def test_who_cannot_be_kept_is_asked_again() -> None:
    """No more letters than there is room for; a producer beyond all numbers is never known."""
    fast, asked = answering(letters=2), spec.BasicProperties(reply_to="r" * 255)
    three = b"".join(request(producer, asked) for producer in (1, 2, 3))
    fast.feed([request(KNOWN, asked) + three])
    assert [producer for producer, *_ in letters(fast)] == [1, 2]
    fast.feed([three])
    assert [producer for producer, *_ in letters(fast)] == [3]


@given(st.integers(0, 200), st.integers(0, 255), st.integers(1, 200))
def test_lengths_in_a_header_are_not_believed(at: int, octet: int, step: int) -> None:
    """What points beyond the frame is no address; nothing is read there."""
    asked = spec.BasicProperties(content_type="t", headers={"a": "b"}, correlation_id="c", reply_to="r" * 9)
    octets = bytearray(request(1, asked))
    begin = octets.index(b"\x02\x00\x01") + 7 + 12  # the property flags
    octets[begin + at % 40] = octet
    for pieces in ([bytes(octets)], [bytes(octets[at : at + step]) for at in range(0, len(octets), step)]):
        fast = answering()
        fast.feed(pieces)
        assert all(len(address) <= 255 for *_, address in letters(fast))
