"""The bodies that drivers over client libraries stamp and send: one buffer a size, made once."""

from bench.drivers.base import PortSpec


class Bodies:
    """Zeros of each size that a port sends, which stamps are written over."""

    def __init__(self, spec: PortSpec) -> None:
        """Make a buffer for each size."""
        self._mix = spec.mix
        self._one = bytearray(spec.size)
        self._of_size = {size: bytearray(size) for size in spec.sizes}

    def of(self, producer: int, seq: int) -> bytearray:
        """Return the buffer for a producer's message, as the last stamp left it."""
        return self._one if self._mix is None else self._of_size[self._mix.of(producer, seq)]
