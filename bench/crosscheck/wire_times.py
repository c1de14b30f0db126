"""Response times of messages from a packet capture alone. Pure.

A message leaves when the segment with its last byte is captured on its way to the broker. It comes
back when the segment with the last byte of its copy is captured. Of messages with the same content,
the k-th to come back is the k-th that left. A call comes back as its reply, which has the same stamp,
on the connection on which it left; the responder's connections show requests that come and replies that
leave, and no pair.
"""

import math
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.arrivals.stamp import SIZE as STAMP_SIZE
from bench.crosscheck import frames091, frames10
from bench.crosscheck.pcap import StreamPart, pieces, segments
from bench.units import NS_PER_S
from brokers.endpoint import Protocol

_EDGE_NS = NS_PER_S // 4


@dataclass(frozen=True)
class Wire:
    """What a capture shows.

    Attributes:
        times_ns: back - out of each message seen both ways, rising.
        unmatched: messages seen one way only, those left out that were on their way when the capture
            began or ended.
    """

    times_ns: Sequence[int]
    unmatched: int

    def quantile_ns(self, quantile: float) -> int:
        """Return the smallest time that this share of the messages did not exceed."""
        return self.times_ns[max(0, math.ceil(quantile * len(self.times_ns)) - 1)]


_Seen = list[tuple[int, bytes]]


def response_times(capture: bytes, port: int, protocol: Protocol, *, calls: bool = False) -> Wire:
    """Return what a capture shows of the messages through a broker's port; of `calls` the round trips.

    Raises:
        PcapError: it is no capture.
    """
    seen: dict[object, tuple[_Seen, _Seen]] = defaultdict(lambda: ([], []))
    for (source, destination), parts in pieces(segments(capture)).items():
        client = source if destination[1] == port else destination
        out, back = seen[client if calls else None]
        for piece in parts:
            if destination[1] == port:
                out += _messages(piece, protocol, frames091.PUBLISH)
            elif source[1] == port:
                back += _messages(piece, protocol, frames091.DELIVER)
    if not calls:
        return match(*seen[None])
    found = [match(*(_stamps(one) for one in ways)) for ways in seen.values()]
    return Wire(
        times_ns=tuple(sorted(time_ns for one in found for time_ns in one.times_ns)),
        unmatched=sum(one.unmatched for one in found if one.times_ns),
    )


def _stamps(messages: _Seen) -> _Seen:
    """Return messages by their stamps alone: the bytes behind these are each side's own."""
    return [(at_ns, content[:STAMP_SIZE]) for at_ns, content in messages]


def match(out: Sequence[tuple[int, bytes]], back: Sequence[tuple[int, bytes]]) -> Wire:
    """Match messages that left with those that came back; each is a time and a content, in any order."""
    leaving: dict[bytes, deque[int]] = defaultdict(deque)
    for at_ns, content in sorted(out):
        leaving[content].append(at_ns)
    pairs, strangers = [], []
    for at_ns, content in sorted(back):
        waiting = leaving.get(content)
        if waiting and waiting[0] <= at_ns:
            pairs.append((waiting.popleft(), at_ns))
        else:
            strangers.append(at_ns)
    if not pairs:
        return Wire((), 0)
    # Queues keep order: what came back before the first pair did was sent before the capture began,
    # what left after the last pair was on its way when it ended. Lanes are not in step, hence the margin.
    moments = [at_ns for at_ns, _ in (*out, *back)]
    from_ns = max(min(came for _, came in pairs), min(moments) + _EDGE_NS)
    until_ns = min(max(left for left, _ in pairs), max(moments) - _EDGE_NS)
    missing = sum(at_ns < until_ns for waiting in leaving.values() for at_ns in waiting)
    return Wire(
        times_ns=tuple(sorted(came - left for left, came in pairs)),
        unmatched=missing + sum(at_ns > from_ns for at_ns in strangers),
    )


def _messages(piece: StreamPart, protocol: Protocol, method: tuple[int, int]) -> Iterator[tuple[int, bytes]]:
    found = frames091.messages(piece.data, method) if protocol == "amqp091" else frames10.messages(piece.data)
    return ((piece.time_ns(end), content) for content, end in found)
