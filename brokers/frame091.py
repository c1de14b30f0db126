"""The first look at octets of AMQP 0-9-1, for libraries that believe whatever length a frame claims.

Pure. The compiled driver looks for itself (`bench.wire.amqp091_scan`).
"""

FRAME_MAX = 131_072
"""Largest frame that client libraries agree to, octets (connection.tune)."""
FRAME_HEADER = 7
"""Type, channel and size (AMQP 0-9-1 specification, 2.3.5)."""
_FRAME_END = 1
_FRAME_TYPES = (1, 2, 3, 8)
"""Method, header, body, heartbeat (4.2.3)."""


class NotAFrameError(ValueError):
    """What came is no frame of AMQP 0-9-1, or none that was agreed on; says what it is."""


def frame_length(buffer: bytes | bytearray, start: int, most: int = FRAME_MAX) -> int | None:
    """Return the bytes of the frame at `start`, or None where its header is not yet whole.

    Args:
        buffer: what was read.
        start: where a frame begins in it.
        most: the largest frame that was agreed on, octets.

    Raises:
        NotAFrameError: these bytes begin no frame, as a broker that speaks another version
            answers with a protocol header instead (4.2.2); or one that is longer than any may be.
    """
    if len(buffer) == start:
        return None
    if buffer[start] not in _FRAME_TYPES:
        message = f"it does not speak AMQP 0-9-1: it answered {bytes(buffer[start : start + 16])!r}"
        raise NotAFrameError(message)
    if len(buffer) - start < FRAME_HEADER:
        return None
    length = FRAME_HEADER + int.from_bytes(buffer[start + 3 : start + FRAME_HEADER], "big") + _FRAME_END
    if length > most:
        message = "it sent a frame larger than was agreed"
        raise NotAFrameError(message)
    return length
