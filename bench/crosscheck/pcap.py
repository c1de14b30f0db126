"""From a packet capture to byte streams with times: libpcap's file format, IP, TCP. Pure.

The format is that of pcap-savefile(5), with times in ns or µs, of an Ethernet link, as
Linux shows its loopback. Segments may come twice or out of order; what is missing splits a
stream into pieces.
"""

import struct
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

_MAGIC = {0xA1B2C3D4: 1_000, 0xA1B23C4D: 1}
_LINK_ETHERNET = 1
_IPV4, _IPV6, _TCP = 0x0800, 0x86DD, 6
_SYN = 0x02
_CHAIN = 3  # frames in a row that must fit before a place counts as the start of one
_MOST_WAITING = 64  # segments that wait for one before them; then it counts as missing

Address = tuple[bytes, int]


class PcapError(Exception):
    """A file is no capture that we can read."""


@dataclass(frozen=True)
class Segment:
    """One TCP segment with data, or a SYN."""

    at_ns: int
    source: Address
    destination: Address
    sequence: int
    starts: bool
    payload: bytes


@dataclass
class StreamPart:
    """An unbroken part of one direction of a connection.

    Attributes:
        data: its bytes.
        ends: offsets behind the last byte of each segment, rising.
        times_ns: when each was captured.
    """

    data: bytearray = field(default_factory=bytearray)
    ends: list[int] = field(default_factory=list)
    times_ns: list[int] = field(default_factory=list)

    def time_ns(self, offset: int) -> int:
        """Return when the byte before an offset was captured."""
        return self.times_ns[bisect_left(self.ends, offset)]

    def add(self, payload: bytes, at_ns: int) -> None:
        """Append a segment."""
        self.data += payload
        self.ends.append(len(self.data))
        self.times_ns.append(at_ns)


def segments(capture: bytes) -> Iterator[Segment]:
    """Yield the TCP segments of a capture that carry data or start a connection.

    Raises:
        PcapError: no pcap file, or of another link type. A last packet cut short is left out.
    """
    order = next((sign for sign in "<>" if len(capture) >= 24 and _magic(capture, sign) in _MAGIC), None)  # noqa: PLR2004
    if order is None:
        message = "this is no file of libpcap's format"
        raise PcapError(message)
    unit_ns = _MAGIC[_magic(capture, order)]
    link = struct.unpack_from(order + "I", capture, 20)[0] & 0xFFFF
    if link != _LINK_ETHERNET:
        message = f"link type {link} is not that of Linux's loopback ({_LINK_ETHERNET})"
        raise PcapError(message)
    record, at = struct.Struct(order + "IIII"), 24
    while at + record.size <= len(capture):
        seconds, fraction, length, _ = record.unpack_from(capture, at)
        at += record.size
        if at + length > len(capture):
            return
        found = _segment(capture[at : at + length], seconds * 1_000_000_000 + fraction * unit_ns)
        if found is not None:
            yield found
        at += length


def _magic(capture: bytes, order: str) -> int:
    return int(struct.unpack_from(order + "I", capture)[0])


def _segment(frame: bytes, at_ns: int) -> Segment | None:
    """Return the TCP segment of an Ethernet frame; None where it holds none that matters."""
    kind = int.from_bytes(frame[12:14], "big")
    if kind == _IPV4 and frame[23] == _TCP:
        tcp = 14 + (frame[14] & 0x0F) * 4
        end = 14 + int.from_bytes(frame[16:18], "big")
        source, destination = frame[26:30], frame[30:34]
    elif kind == _IPV6 and frame[20] == _TCP:
        tcp, end = 54, 54 + int.from_bytes(frame[18:20], "big")
        source, destination = frame[22:38], frame[38:54]
    else:
        return None
    source_port, destination_port, sequence = struct.unpack_from(">HHI", frame, tcp)
    payload = frame[tcp + (frame[tcp + 12] >> 4) * 4 : end]
    starts = bool(frame[tcp + 13] & _SYN)
    if not payload and not starts:
        return None
    return Segment(at_ns, (source, source_port), (destination, destination_port), sequence, starts, payload)


def pieces(found: Iterable[Segment]) -> dict[tuple[Address, Address], list[StreamPart]]:
    """Return the bytes of each direction of each connection, in their order."""
    flows: dict[tuple[Address, Address], _Flow] = {}
    for segment in found:
        flow = flows.setdefault((segment.source, segment.destination), _Flow())
        flow.take(segment)
    return {ends: flow.finish() for ends, flow in flows.items()}


class _Flow:
    """One direction of a connection as it is put together."""

    def __init__(self) -> None:
        self._pieces = [StreamPart()]
        self._next: int | None = None
        self._waiting: dict[int, Segment] = {}

    def take(self, segment: Segment) -> None:
        if segment.starts:
            self._next = (segment.sequence + 1) & 0xFFFFFFFF
            return
        if self._next is None:  # the capture began in the middle of the connection
            self._next = segment.sequence
        self._waiting.setdefault(segment.sequence, segment)
        self._drain()
        if len(self._waiting) > _MOST_WAITING:
            self._skip()

    def finish(self) -> list[StreamPart]:
        while self._waiting:
            self._skip()
        return [piece for piece in self._pieces if piece.data]

    def _drain(self) -> None:
        """Append whatever follows what is there."""
        while self._waiting:
            sequence = min(self._waiting, key=self._ahead)
            if self._ahead(sequence) > 0:
                return
            segment = self._waiting.pop(sequence)
            fresh = segment.payload[-self._ahead(sequence) :]  # a segment sent again holds bytes that are there
            if fresh:
                self._pieces[-1].add(fresh, segment.at_ns)
                self._next = (self._expected + len(fresh)) & 0xFFFFFFFF

    def _skip(self) -> None:
        """Give up what is missing: begin a new piece with the nearest that is there."""
        self._next = min(self._waiting, key=self._ahead)
        self._pieces.append(StreamPart())
        self._drain()

    @property
    def _expected(self) -> int:
        return self._next or 0

    def _ahead(self, sequence: int) -> int:
        """Return how far a sequence number lies ahead, modulo 2^32 (RFC 9293, section 3.4)."""
        return (sequence - self._expected + 0x80000000) % 0x100000000 - 0x80000000


def frames(
    data: bytes | bytearray, end_of: Callable[[bytes | bytearray, int], int | None]
) -> Iterator[tuple[int, int, bool]]:
    """Yield begin and end of each frame in a piece of a stream, and whether bytes before it are no frame.

    Such bytes are passed over, up to the first place from which frames follow each other.

    Args:
        data: the piece.
        end_of: returns the offset behind the frame that begins at an offset; None where none does.
    """
    at, broken = 0, False
    while at < len(data):
        end = end_of(data, at)
        if end is not None:
            yield at, end, broken
            at, broken = end, False
            continue
        broken = True
        at = next((start for start in range(at + 1, len(data)) if _follow(data, start, end_of)), len(data))


def _follow(data: bytes | bytearray, at: int, end_of: Callable[[bytes | bytearray, int], int | None]) -> bool:
    """Return whether frames follow each other from here, as far as the data go."""
    end: int | None = at
    for _ in range(_CHAIN):
        end = end_of(data, end) if end is not None and end < len(data) else end
    return end is not None
