"""Captures become byte streams with times, whatever order, gaps and repetitions there were."""

import struct

import pytest

from bench.crosscheck.pcap import PcapError, StreamPart, pieces, segments
from tests.crosschecks import BROKER, CLIENT, Packet, pcap


def out(at_ns: int, sequence: int, payload: bytes, *, syn: bool = False) -> Packet:
    """Return a packet from client to broker."""
    return Packet(at_ns, CLIENT, BROKER, sequence, payload, syn)


def stream(*packets: Packet) -> list[StreamPart]:
    """Return the pieces of the one direction in a capture."""
    [found] = pieces(segments(pcap(packets))).values()
    return found


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("unit_ns", [1, 1_000])
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_every_form_of_the_file_is_read(order: str, unit_ns: int, host: str) -> None:
    """Both byte orders, both units of time, both versions of IP."""
    packet = Packet(1_700_000_000_123_456_000, (host, 40_000), (host, 5672), 7, b"hello")
    [found] = segments(pcap([packet], order=order, unit_ns=unit_ns))
    assert (found.at_ns, found.payload) == (packet.at_ns, b"hello")
    assert (found.source[1], found.destination[1]) == (40_000, 5672)


def test_a_byte_has_the_time_of_its_segment() -> None:
    """The time of an end offset is that of the segment with the byte before it."""
    [piece] = stream(out(10, 100, b"abc"), out(20, 103, b"de"))
    assert piece.data == b"abcde"
    assert [piece.time_ns(end) for end in range(1, 6)] == [10, 10, 10, 20, 20]


def test_a_connection_seen_from_its_start() -> None:
    """The SYN takes a sequence number of its own; empty acknowledgements are nothing."""
    [piece] = stream(out(1, 99, b"", syn=True), out(2, 100, b""), out(3, 100, b"ab"))
    assert piece.data == b"ab"


def test_segments_out_of_order_are_put_in_order() -> None:
    """Each byte keeps the time at which it was captured."""
    [piece] = stream(out(1, 100, b"a"), out(2, 102, b"c"), out(3, 101, b"b"))
    assert piece.data == b"abc"
    assert [piece.time_ns(end) for end in (1, 2, 3)] == [1, 3, 2]


def test_bytes_sent_again_count_once() -> None:
    """A segment that overlaps adds only what is new; the first time counts."""
    [piece] = stream(out(1, 100, b"ab"), out(5, 100, b"ab"), out(6, 101, b"bcd"))
    assert piece.data == b"abcd"
    assert [piece.time_ns(end) for end in (2, 3)] == [1, 6]


def test_what_is_missing_splits_the_stream() -> None:
    """Nothing is glued together over a gap."""
    assert [bytes(piece.data) for piece in stream(out(1, 100, b"ab"), out(2, 110, b"cd"))] == [b"ab", b"cd"]


def test_many_segments_after_a_gap_end_the_waiting() -> None:
    """A gap is given up while the capture goes on, and all behind it is kept in one piece."""
    packets = [out(n, 200 + n, bytes([n])) for n in range(100)]
    first, second = stream(out(1, 100, b"a"), *packets)
    assert (bytes(first.data), bytes(second.data)) == (b"a", bytes(range(100)))


def test_sequence_numbers_wrap() -> None:
    """They are counted modulo 2^32."""
    [piece] = stream(out(1, 2**32 - 2, b"ab"), out(2, 0, b"cd"))
    assert piece.data == b"abcd"


def test_directions_and_connections_stay_apart() -> None:
    """Each pair of ends has its own stream."""
    packets = [out(1, 1, b"a"), Packet(2, BROKER, CLIENT, 1, b"b"), Packet(3, ("127.0.0.1", 40_001), BROKER, 1, b"c")]
    found = pieces(segments(pcap(packets)))
    assert sorted(bytes(piece.data) for parts in found.values() for piece in parts) == [b"a", b"b", b"c"]


def test_a_last_packet_cut_short_is_left_out() -> None:
    """A capture that was ended while it wrote is read up to there."""
    whole = pcap([out(1, 1, b"a"), out(2, 2, b"b")])
    assert len(list(segments(whole[:-1]))) == 1
    assert len(list(segments(whole[:30]))) == 0


def test_other_packets_are_passed_over() -> None:
    """What is no TCP is no segment."""
    whole = bytearray(pcap([out(1, 1, b"a")]))
    whole[24 + 16 + 23] = 17  # UDP
    assert list(segments(bytes(whole))) == []
    whole[24 + 16 + 12 : 24 + 16 + 14] = b"\x08\x06"  # ARP
    assert list(segments(bytes(whole))) == []


@pytest.mark.parametrize("capture", [b"", b"\0" * 24, struct.pack("<I", 0xA1B23C4D)])
def test_no_capture_is_refused(capture: bytes) -> None:
    """Another file, or half a header."""
    with pytest.raises(PcapError, match="no file of libpcap's format"):
        list(segments(capture))


def test_another_link_type_is_refused() -> None:
    """A header that is not Ethernet's would be read wrongly."""
    with pytest.raises(PcapError, match="link type 113"):
        list(segments(pcap([out(1, 1, b"a")], link=113)))
