"""What a broker that nobody knows anything about can do, found by trying. It leaves nothing behind."""

import contextlib
import uuid
from typing import cast

import pika.exceptions

from brokers.admin.abilities import Abilities
from brokers.admin.amqp091 import Amqp091Admin
from brokers.admin.amqp10_conditions import RefusedError
from brokers.admin.amqp10_connection import Amqp10Connection
from brokers.admin.amqp10_links import sender
from brokers.admin.base import Address, AdminError, SilentError
from brokers.topology import QueueKind

PREFIX = "busbench-probe-"
"""Of the names of scratch queues."""
QUEUE_KINDS = ("classic", "quorum", "stream")
"""As the argument `x-queue-type` names them, an extension of 0-9-1."""
NO_KIND = "busbench-none"
"""No kind of queue: who accepts this does not read the argument."""
CREDIT_TIMEOUT_S = 2.0


def probe_amqp091(address: Address, *, declares: bool = True) -> Abilities:
    """Return what a broker can do over AMQP 0-9-1.

    Args:
        address: where, and as whom.
        declares: whether scratch queues may be declared; they are deleted at once.

    Raises:
        AdminError: it lets nobody in, or answers nothing.
    """
    prober = _Prober(address)
    prober.open()
    try:
        how = {
            "max_message": "AMQP 0-9-1 does not tell the largest message",
        }
        frame, channels = prober.tuned()
        how["max_frame"] = f"connection.tune, of which pika takes {pika.spec.FRAME_MAX_SIZE:,} at most"
        how["max_channels"] = "connection.tune"
        nack = prober.advertises("basic.nack") or None
        how["nack"] = "basic.nack is advertised" if nack else "basic.nack is not advertised"
        confirms, how["confirms"] = prober.confirms()
        kinds, how["queue_kinds"] = prober.kinds() if declares else (None, "queues were named, so none was declared")
        return Abilities(confirms, nack, kinds, max_frame=frame, max_channels=channels, how=how)
    finally:
        prober.close()


def probe_amqp10(address: Address, hostname: str | None, node: str | None) -> Abilities:
    """Return what a broker can do over AMQP 1.0, from its open frame and the answer to an attach.

    Args:
        address: where, and as whom.
        hostname: of the open frame; None = not sent.
        node: to attach to, nothing is sent there; None = none, the link is for any node.

    Raises:
        AdminError: it lets nobody in, or answers nothing.
    """
    connection = Amqp10Connection(address, hostname)
    try:
        frame = int(connection.transport.remote_max_frame_size) or None
        sessions = int(connection.transport.remote_channel_max) + 1
        how = {
            "max_frame": "max-frame-size of the open frame",
            "max_sessions": "channel-max of the open frame",
            "queue_kinds": "AMQP 1.0 does not tell kinds of queues",
        }
        found = _attached(connection, node, how)
    finally:
        connection.close()
    confirms, nack, credit, message = found
    return Abilities(confirms, nack, None, credit, max_frame=frame, max_message=message, max_sessions=sessions, how=how)


class _Prober(Amqp091Admin):
    """Tries what an admin has no need to know."""

    def tuned(self) -> tuple[int | None, int | None]:
        """Return bytes of a frame and channels of a connection; None = without a limit."""
        agreed = cast("pika.BlockingConnection", self._connection)._impl.params  # noqa: SLF001  (shown there alone)
        return int(agreed.frame_max) or None, int(agreed.channel_max) or None

    def advertises(self, capability: str) -> bool:
        """Return whether it is among the capabilities of connection.start."""
        offered = self._properties.get("capabilities")
        return isinstance(offered, dict) and offered.get(capability) is True

    def confirms(self) -> tuple[bool | None, str]:
        """Send confirm.select, advertised or not; return whether it was answered, and how that is known."""
        advertised = "" if self.advertises("publisher_confirms") else ", though not advertised"
        try:
            with self._asking("confirm.select") as channel:
                # pika refuses to send it to a broker that does not advertise it and basic.nack.
                offered = cast("pika.BlockingConnection", self._connection)._impl.server_capabilities  # noqa: SLF001
                offered |= {"publisher_confirms": True, "basic.nack": True}
                channel.confirm_delivery()
        except SilentError:
            return False, "confirm.select was not answered"
        except AdminError as error:
            return False, f"confirm.select: {error}"
        return True, f"confirm.select was answered{advertised}"

    def kinds(self) -> tuple[tuple[str, ...] | None, str]:
        """Declare a queue of each kind; return those that it takes, and how that is known."""
        if not self._refusal(NO_KIND):
            return None, "it takes any x-queue-type, so that the argument means nothing"
        refusals = {kind: self._refusal(kind) for kind in QUEUE_KINDS}
        found = tuple(kind for kind, refusal in refusals.items() if not refusal)
        if not found:
            return None, f"it takes no x-queue-type: {refusals[QUEUE_KINDS[0]]}"
        return found, "a queue of each x-queue-type was declared"

    def _refusal(self, kind: str) -> str:
        """Return why a queue of that kind is refused, or nothing where it is taken; it is deleted at once."""
        name = f"{PREFIX}{uuid.uuid4()}"
        try:
            self.declare(name, QueueKind(durable=True, arguments={"x-queue-type": kind}))
        except SilentError:
            raise
        except AdminError as error:
            return str(error)
        self.delete(name)
        return ""


_Found = tuple[bool | None, bool | None, int | None, int | None]


def _attached(connection: Amqp10Connection, node: str | None, how: dict[str, str]) -> _Found:
    """Return confirms, nack, credit and largest message, as an attach tells them; note how."""
    session = connection.session()
    fields = ("confirms", "nack", "credit", "max_message")
    try:
        link = sender(session, node)
        connection.attach(link)
    except RefusedError as error:
        how |= dict.fromkeys(fields, f"the attach was refused: {error}")
        return None, None, None, None
    except AdminError as error:  # some hang up on a link without an address
        how |= dict.fromkeys(fields, f"the attach was not answered: {error}")
        return None, None, None, None
    unsettled = link.remote_snd_settle_mode != link.SND_SETTLED
    how["confirms"] = "it takes deliveries that are not settled" if unsettled else "it wants settled deliveries"
    how["nack"] = "AMQP 1.0 does not tell which outcomes will come"
    with contextlib.suppress(SilentError, RefusedError):
        connection.await_on(link, lambda: link.credit > 0, "attach by credit", CREDIT_TIMEOUT_S)
    credit = int(link.credit) or None
    how["credit"] = "granted at the attach" if credit else f"none was granted within {CREDIT_TIMEOUT_S:g} s"
    largest = int(link.remote_max_message_size) or None
    how["max_message"] = "max-message-size of the attach" if largest else "max-message-size of the attach sets no limit"
    return unsettled, None, credit, largest
