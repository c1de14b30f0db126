"""A channel of the relay's end of AMQP 0-9-1: what is published on it, and who consumes."""

import struct
from collections import OrderedDict

from pika import spec as amqp

from bench.ceiling.relay091_frames import BASIC, END, FRAME, METHOD, Frames
from bench.ceiling.relay_queues import Message, RelayConsumer, RelayQueue

IDS = struct.Struct(">HH")
"""What every method begins with: its class and itself."""
TAG = struct.Struct(">QB")
"""A delivery tag and flags."""
_DELIVER = (BASIC, 60)


class ChannelFault(Exception):  # noqa: N818  (as ConnectionFault)
    """What a client did costs its channel; arguments are the reply code and text."""


class Channel:
    """One channel.

    Attributes:
        number: from 1 on.
        closing: we have closed it and wait for the answer: nothing else counts.
        confirms: publishing is confirmed.
        published: messages since then.
        prefetch: of consumers to come; 0 = any number.
        limit: unacknowledged messages of all its consumers together; 0 = any number.
        consumers: by tag.
        unacked: who was delivered what, by delivery tag, oldest first.
        tag: of the last delivery.
        content: what is being published.
    """

    def __init__(self, number: int) -> None:
        """Open it."""
        self.number = number
        self.closing = self.confirms = False
        self.published = self.prefetch = self.limit = self.tag = 0
        self.consumers: dict[str, Consumer091] = {}
        self.unacked: OrderedDict[int, Consumer091] = OrderedDict()
        self.content: Content | None = None


class Content:
    """A message on its way in."""

    __slots__ = ("body", "exchange", "flags", "key", "properties", "size")

    def __init__(self, exchange: str, key: str, flags: int) -> None:
        """Begin with what basic.publish says; its header comes next."""
        self.exchange, self.key, self.flags = exchange, key, flags
        self.properties, self.body, self.size = b"", b"", -1


class Consumer091(RelayConsumer):
    """A consumer on a channel."""

    def __init__(self, connection: Frames, queue: RelayQueue, channel: Channel, tag: str, *, acks: bool) -> None:
        """Begin to consume, by the channel's prefetch of now where it acknowledges."""
        super().__init__(connection, queue)
        self.tag = tag
        self.outstanding = 0
        self._relay, self._channel, self._acks = connection, channel, acks
        self._window = channel.prefetch if acks else 0
        before = IDS.pack(*_DELIVER) + _short(tag)
        after = _short("") + _short(queue.name)
        self._before = FRAME.pack(METHOD, channel.number, len(before) + TAG.size + len(after)) + before
        self._after = after + END

    def room(self) -> bool:
        """See `Consumer`."""
        limit = self._channel.limit if self._acks else 0
        return (
            self._relay.takes()
            and (not self._window or self.outstanding < self._window)
            and (not limit or len(self._channel.unacked) < limit)
        )

    def deliver(self, message: Message) -> None:
        """See `Consumer`."""
        channel = self._channel
        channel.tag += 1
        if self._acks:
            channel.unacked[channel.tag] = self
            self.outstanding += 1
        self._relay.write(self._before + TAG.pack(channel.tag, 0) + self._after)
        self._relay.write_content(channel.number, *message.content091())

    def queue_deleted(self) -> None:
        """See `Consumer`."""
        self._channel.consumers.pop(self.tag, None)
        self._relay.say(self._channel.number, amqp.Basic.Cancel(self.tag, nowait=True))


def _short(text: str) -> bytes:
    """Encode a short string."""
    octets = text.encode()
    return bytes((len(octets),)) + octets
