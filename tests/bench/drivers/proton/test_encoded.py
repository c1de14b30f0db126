"""What Proton's engine is given to send, Proton decodes."""

from proton import Message

from bench.arrivals import stamp
from bench.arrivals.body_content import BodyContent
from bench.arrivals.keys import in_turn
from bench.arrivals.sizes import Sizes
from bench.drivers.base import PortSpec, ProducerLane, Properties, Route
from bench.drivers.proton.addressing import Addressing
from bench.drivers.proton.encoded import EncodedMessages
from brokers.endpoint import Endpoint, ExchangeAddresses

EXCHANGES = ExchangeAddresses("/exchanges/{exchange}", "/exchanges/{exchange}/{key}", "to", encoded=True)
AT = Endpoint(
    "amqp10",
    "h",
    1,
    "/",
    None,
    "u",
    "p",
    exchanges=EXCHANGES,
)
LANE = ProducerLane(7, "q")
MIX = Sizes((40, 300), (1.0, 1.0), seed=5)


def messages(spec: PortSpec) -> EncodedMessages:
    """Return those of the lane."""
    return EncodedMessages(spec, LANE.producer, Addressing(spec, AT, LANE))


def decoded(octets: bytes) -> Message:
    """Return what Proton makes of it."""
    message = Message()
    message.decode(octets)
    return message


def test_one_buffer_holds_all_where_messages_are_alike() -> None:
    """There is no other front."""
    made = messages(PortSpec(AT, (LANE,), (), 300, durable=True, mix=MIX))
    for seq in range(20):
        assert made.front(seq) is None
        rest = made.rest(seq, 5, 6)
        message = decoded(bytes(rest))
        assert message.durable
        assert len(message.body) == MIX.of(7, seq)
        assert stamp.unpack(message.body) == (7, seq, 5, 6)
        assert len(rest) <= made.longest


def test_keys_and_numbers_are_in_the_front() -> None:
    """Each message has those of its own; the body is content under a compact stamp."""
    properties = Properties(headers=(("h", "x{seq}"), ("n", 3)), correlation_id="{seq}", priority=9)
    content = BodyContent("json")
    route = Route("ev", ("a", "b"), in_turn(2))
    made = messages(PortSpec(AT, (LANE,), (), 60, route=route, properties=properties, body=content, compact=True))
    for seq in (0, 1, 4_000):
        front = made.front(seq)
        assert front is not None
        message = decoded(front + bytes(made.rest(seq, 5, 6)))
        assert message.address == f"/exchanges/ev/{'ab'[(7 + seq) % 2]}"
        assert message.properties == {"h": f"x{seq:013d}", "n": 3}
        assert (message.correlation_id, message.priority) == (f"{seq:013d}", 9)
        assert stamp.unpack_compact(message.body, 6) == (7, seq, 5, 5)
        assert message.body[stamp.COMPACT_SIZE :] == content.fill(60)[stamp.COMPACT_SIZE :]
