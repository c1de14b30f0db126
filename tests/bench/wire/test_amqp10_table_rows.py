"""Rows follow what was opened, attached and detached."""

from bench.wire import amqp10_layout as x
from bench.wire.amqp10_control import Attach, Open
from bench.wire.amqp10_table_rows import attached, detached, new_connection, opened
from tests.bench.wire.amqp10_client import CONN, GUARDS, Client, template


def test_a_link_may_be_attached_anew() -> None:
    """After a detach nothing of the old link is left, but outcomes still find their messages."""
    client, made = Client(senders=1), template(2_000)
    client.ready(window=7, peer_frame=512)
    client.send(made, [0, 0], [0, 1])
    assert client.conn[x.C_PARKED] == 1
    detached(client.tables, GUARDS)
    assert (client.conn[x.C_PARKED], client.room(made)) == (0, 0)
    attached(client.tables, GUARDS, Attach("s0", 5, receives=True, has_source=True, has_target=True))
    assert (client.lane(0)[x.L_HANDLE], client.lane(0)[x.L_COUNT], client.lane(0)[x.L_CREDIT]) == (5, 0, 0)
    assert client.lane(0)[x.L_INFLIGHT] == 2


def test_the_smaller_frame_size_is_used() -> None:
    """Never larger than the peer bears nor than we make, never below the least of the standard."""
    client = Client(senders=1, max_frame=4_096)
    for peer, expected in ((x.MASK32, 4_096), (1_000, 1_000), (10, 512)):
        client.conn[x.C_MAX_OUT] = 4_096
        opened(client.tables, CONN, Open(peer))
        assert client.conn[x.C_MAX_OUT] == expected


def test_a_new_connection_forgets_the_old_one() -> None:
    """A row may be used again, and no other row changes."""
    client = Client(senders=2, receivers=1)
    client.ready()
    client.send(template(32), [0, 1], [0, 0])
    new_connection(client.tables, CONN, lane0=GUARDS, lanes=3, max_frame=512, window=9)
    assert not client.tables.rings[CONN].any()
    assert client.conn[x.C_CHANNEL] == -1
    assert [client.lane(lane)[x.L_HANDLE] for lane in range(3)] == [-1, -1, -1]
    assert client.others_untouched()
