"""Free ports on loopback."""

import socket

import pytest

from brokers.places.ports import HIGHEST, LOOPBACK, LOWEST, free_ports, is_free

NAMES = ("amqp", "http", "epmd", "dist")


def test_ports_are_distinct_and_below_those_of_clients() -> None:
    """The kernel numbers outgoing connections above this range."""
    found = tuple(free_ports(NAMES).values())
    assert len(set(found)) == 4
    assert all(LOWEST <= port <= HIGHEST for port in found)


def test_a_port_in_use_is_not_handed_out() -> None:
    """Drawn again instead."""
    with socket.create_server((LOOPBACK, 0)) as server:
        taken = server.getsockname()[1]
        draws = iter([taken, taken, *tuple(free_ports(NAMES).values())])
        assert not is_free(taken)
        assert taken not in free_ports(NAMES, lambda _low, _high: next(draws)).values()


def test_no_free_port_is_an_error() -> None:
    """Instead of drawing for ever."""
    with socket.create_server((LOOPBACK, 0)) as server:
        taken = server.getsockname()[1]
        with pytest.raises(OSError, match="no free TCP port"):
            free_ports(NAMES, lambda _low, _high: taken)
