"""pika's own connection, socket and loop included, which looks at what a frame claims before it waits for it.

pika passes over a protocol header, with which a broker answers that speaks another version, and gathers a frame
of any size, so that it would wait for either for ever.
"""

from typing import Any, ClassVar

import pika
from pika.frame import ProtocolHeader

from brokers.frame091 import NotAFrameError, frame_length


class CheckedConnection(pika.SelectConnection):  # type: ignore[misc]
    """A `pika.SelectConnection`; what is no frame of AMQP 0-9-1 ends it.

    Attributes:
        faults: where that is noted: pika keeps only the words of an error that ends its stream.
    """

    faults: ClassVar[list[NotAFrameError]]

    def _read_frame(self) -> tuple[int, Any]:
        consumed, frame = super()._read_frame()
        # A whole frame was looked at by pika, so that the check costs nothing where frames are whole.
        if frame is None or isinstance(frame, ProtocolHeader):
            try:
                frame_length(self._frame_buffer, 0)
            except NotAFrameError as error:
                self.faults.append(error)
                raise
        return consumed, frame


def checked(faults: list[NotAFrameError]) -> type[CheckedConnection]:
    """Return a class of one connection: pika makes it itself, and shows it only once it is open."""
    return type("LaneConnection", (CheckedConnection,), {"faults": faults})
