"""Response times from a capture alone: known ones are found to the nanosecond."""

import pytest

from bench.crosscheck.wire_times import Wire, match, response_times
from bench.units import NS_PER_MS, NS_PER_S
from brokers.endpoint import Protocol
from tests.bench.crosscheck.test_frames091 import delivered, published
from tests.bench.crosscheck.test_frames10 import encoded, frame, transfer
from tests.crosschecks import BROKER, CLIENT, RECORDED, Packet, pcap, recorded_port


def conversation(out: list[bytes], back: list[bytes], delays_ns: list[int]) -> bytes:
    """Return a capture of messages that leave each millisecond in two segments, and come back after a delay."""
    packets, sequences = [], [1, 1]
    for number, (sent, received, delay_ns) in enumerate(zip(out, back, delays_ns, strict=True)):
        at_ns = NS_PER_S + number * NS_PER_MS
        half = len(sent) // 2
        packets += [
            Packet(at_ns - 100, CLIENT, BROKER, sequences[0], sent[:half]),
            Packet(at_ns, CLIENT, BROKER, sequences[0] + half, sent[half:]),
            Packet(at_ns + delay_ns, BROKER, ("127.0.0.1", 40_001), sequences[1], received),
        ]
        sequences = [sequences[0] + len(sent), sequences[1] + len(received)]
    return pcap(packets)


@pytest.mark.parametrize("protocol", ["amqp091", "amqp10"])
def test_known_times_are_found(protocol: Protocol) -> None:
    """From the segment with a message's last byte to the one with that of its copy."""
    delays_ns = [300_000 + 7 * number for number in range(100)]
    bodies = [b"message %d" % number for number in range(100)]
    if protocol == "amqp091":
        out, back = ([b"".join(write(body)) for body in bodies] for write in (published, delivered))
    else:
        out = back = [frame(transfer(encoded(body))) for body in bodies]
    found = response_times(conversation(out, back, delays_ns), BROKER[1], protocol)
    assert list(found.times_ns) == delays_ns
    assert found.unmatched == 0
    assert (found.quantile_ns(0.5), found.quantile_ns(0.99)) == (delays_ns[49], delays_ns[98])


def test_a_call_comes_back_as_its_reply() -> None:
    """On the requester's own connection, with the same stamp; the responder's two ways are no round trip."""
    responder = ("127.0.0.1", 40_001)
    packets, ends = [], dict.fromkeys([(CLIENT, BROKER), (BROKER, CLIENT), (responder, BROKER), (BROKER, responder)], 1)

    def packet(at_ns: int, source: tuple[str, int], target: tuple[str, int], payload: bytes) -> None:
        packets.append(Packet(at_ns, source, target, ends[source, target], payload))
        ends[source, target] += len(payload)

    for number in range(100):
        at_ns, stamp = NS_PER_S + number * NS_PER_MS, b"%-32d" % number
        packet(at_ns, CLIENT, BROKER, b"".join(published(stamp + b"asked")))
        packet(at_ns + 100_000, BROKER, responder, b"".join(delivered(stamp + b"asked")))
        packet(at_ns + 200_000, responder, BROKER, b"".join(published(stamp + b"answered at length")))
        packet(at_ns + 300_000 + number, BROKER, CLIENT, b"".join(delivered(stamp + b"answered at length")))
    found = response_times(pcap(packets), BROKER[1], "amqp091", calls=True)
    assert list(found.times_ns) == [300_000 + number for number in range(100)]
    assert found.unmatched == 0


def test_equal_contents_are_matched_in_order() -> None:
    """The k-th to leave is the k-th to come back; different contents may overtake each other."""
    found = match([(10, b"a"), (20, b"b"), (30, b"a")], [(25, b"b"), (31, b"a"), (37, b"a")])
    assert list(found.times_ns) == [5, 7, 21]


def test_a_copy_without_its_original_is_no_time() -> None:
    """What came back before it could have left was sent before the capture began."""
    assert list(match([(50, b"a")], [(40, b"a"), (60, b"a")]).times_ns) == [10]


def test_messages_on_one_way_only_are_counted_away_from_the_edges() -> None:
    """At the edges a message may be on its way; in the middle it is lost or of someone else."""
    moments_ns = [n * NS_PER_S // 10 for n in range(11)]
    out = [(at_ns, b"%d" % at_ns) for at_ns in moments_ns]
    back = [(at_ns + 5, content) for at_ns, content in out]
    assert match(out, back).unmatched == 0
    assert match(out, back[:5] + back[6:]).unmatched == 1
    assert match(out[:5] + out[6:], back).unmatched == 1
    assert match(out[1:], back[:-1]).unmatched == 0


def test_a_long_queue_at_either_end_is_no_loss() -> None:
    """With messages of a second in the queue, those of the first and the last second have one way only."""
    out = [(n * NS_PER_S // 10, b"%d" % n) for n in range(50)]
    back = [(at_ns + NS_PER_S, content) for at_ns, content in out]
    found = match(out[10:], back[:40])
    assert (len(found.times_ns), found.unmatched) == (30, 0)
    assert match(out[10:20] + out[21:], back[:40]).unmatched == 1


def test_one_way_alone_gives_nothing() -> None:
    """No time is made up."""
    assert match([(1, b"a")], []) == Wire((), 0)
    assert match([], [(1, b"a")]) == Wire((), 0)


@pytest.mark.parametrize(("name", "protocol", "least"), [("perftest", "amqp091", 8), ("artemis", "amqp10", 8)])
def test_packets_of_real_tools_are_understood(name: str, protocol: Protocol, least: int) -> None:
    """60 packets from the middle of a run on RabbitMQ: messages match, in fractions of a millisecond to some."""
    found = response_times((RECORDED / f"{name}.pcap").read_bytes(), recorded_port(name), protocol)
    assert len(found.times_ns) >= least
    assert 50_000 < found.times_ns[0] <= found.times_ns[-1] < 50 * NS_PER_MS
