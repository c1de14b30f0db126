"""The bodies that drivers over client libraries stamp and send: one buffer a size, made once; the forms of stamps."""

from collections.abc import Callable

from bench.arrivals import stamp
from bench.drivers.base import PortSpec

Buffer = bytearray | memoryview
StampWriter = Callable[[Buffer, int, int, int, int], None]
"""Of (body, producer, seq, intended_ns, sent_ns): writes a stamp over the first octets of a body."""
StampReader = Callable[[bytes | bytearray | memoryview, int], tuple[int, int, int, int] | None]
"""Of (body, now_ns): returns (producer, seq, intended_ns, sent_ns); None where a body is not ours."""


def stamp_writer(*, compact: bool) -> StampWriter:
    """Return what writes stamps of that form; the compact one has no sent time."""
    return _write_compact if compact else stamp.pack_into


def stamp_reader(*, compact: bool) -> StampReader:
    """Return what reads stamps of that form."""
    return stamp.unpack_compact if compact else _read


class Bodies:
    """What bodies hold, in each size that a port sends, which stamps are written over."""

    def __init__(self, spec: PortSpec) -> None:
        """Make a buffer for each size."""
        self._mix = spec.mix
        self._of_size = {size: bytearray(spec.body.fill(size)) for size in spec.sizes}
        self._longest = self._of_size[max(spec.sizes)]
        self._write = stamp_writer(compact=spec.compact)

    def stamped(self, producer: int, seq: int, intended_ns: int, sent_ns: int) -> bytearray:
        """Return the body of a producer's message, in a buffer that is written anew for the next of its size."""
        body = self._longest if self._mix is None else self._of_size[self._mix.of(producer, seq)]
        self._write(body, producer, seq, intended_ns, sent_ns)
        return body


def _write_compact(body: Buffer, producer: int, seq: int, intended_ns: int, _sent_ns: int) -> None:
    stamp.pack_compact_into(body, producer, seq, intended_ns)


def _read(body: bytes | bytearray | memoryview, _now_ns: int) -> tuple[int, int, int, int] | None:
    return stamp.unpack(body)
