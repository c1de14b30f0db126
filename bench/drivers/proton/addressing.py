"""Where the messages of a sender over Proton go: the target of its link, and what each message carries."""

from bench.drivers.base import PortSpec, ProducerLane
from bench.drivers.message_keys import MessageKeys
from bench.drivers.targets import Carried, targets
from brokers.endpoint import Endpoint

_NOTHING = Carried()


class Addressing:
    """Of one producing lane.

    Attributes:
        target: the address that its link attaches; None = none.
        keys: of its messages.
        carried: what messages carry, by key.
    """

    def __init__(self, spec: PortSpec, endpoint: Endpoint, lane: ProducerLane) -> None:
        """Ask what the broker makes of exchange and keys.

        Raises:
            Refused: it cannot be told a routing key for each message.
        """
        self.keys = MessageKeys(spec.route, lane)
        self.target: str | None
        if spec.route is None:
            self.target, self.carried = endpoint.address(lane.queue), {lane.queue: _NOTHING}
            return
        keys = spec.route.keys if self.keys.only is None else (self.keys.only,)
        self.target, carried = targets(spec.route.exchange, keys, endpoint)
        self.carried = dict(zip(keys, carried or [_NOTHING] * len(keys), strict=True))
