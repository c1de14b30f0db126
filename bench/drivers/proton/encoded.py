"""Messages that Proton's engine sends as they are: made beforehand, with stamps and digits written over them."""

from bench.drivers.base import PortSpec
from bench.drivers.bodies import stamp_writer
from bench.drivers.proton.addressing import Addressing
from bench.wire.amqp10_front import SEQ_DIGITS, Front, data_head, make_front


class EncodedMessages:
    """The messages of one sender.

    Attributes:
        longest: bytes of the longest.
    """

    def __init__(self, spec: PortSpec, producer: int, addressing: Addressing) -> None:
        """Encode the sections before the body for each key, and the body of each size."""
        self._mix = spec.mix
        self._producer = producer
        self._stamp = stamp_writer(compact=spec.compact)
        self._keys = addressing.keys
        fronts = {
            key: make_front(spec.properties, durable=spec.durable, to=carried.to, subject=carried.subject)
            for key, carried in addressing.carried.items()
        }
        only = next(iter(fronts.values()))
        self._fronts = fronts if len(fronts) > 1 or only.digits else {}
        same = b"" if self._fronts else only.octets
        self._bodies = {size: _body(same + data_head(size), spec.body.fill(size)) for size in spec.sizes}
        self._one = self._bodies[spec.size]
        self.longest = max([len(front.octets) for front in self._fronts.values()], default=0) + len(self._one[0])

    def front(self, seq: int) -> bytes | None:
        """Return the sections before the body of a message; None where `rest` has them, as all messages do."""
        if not self._fronts:
            return None
        front = self._fronts[self._keys.of(seq)]
        return _numbered(front, seq) if front.digits else front.octets

    def rest(self, seq: int, intended_ns: int, sent_ns: int) -> bytearray:
        """Return what follows, stamped, in a buffer that is written anew for the next of its size."""
        rest, stamp_here = self._one if self._mix is None else self._bodies[self._mix.of(self._producer, seq)]
        self._stamp(stamp_here, self._producer, seq, intended_ns, sent_ns)
        return rest


def _body(before: bytes, body: bytes) -> tuple[bytearray, memoryview]:
    """Return a body with what stands before it, and that body alone in it."""
    whole = bytearray(before + body)
    return whole, memoryview(whole)[len(before) :]


def _numbered(front: Front, seq: int) -> bytes:
    octets, digits = bytearray(front.octets), b"%0*d" % (SEQ_DIGITS, seq)
    for at in front.digits:
        octets[at : at + SEQ_DIGITS] = digits
    return bytes(octets)
