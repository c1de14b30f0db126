"""Free ports on loopback."""

import socket
from dataclasses import astuple

import pytest

from brokers.ports import HIGHEST, LOOPBACK, LOWEST, free_ports, is_free


def test_ports_are_distinct_and_below_those_of_clients() -> None:
    """The kernel numbers outgoing connections above this range."""
    found = astuple(free_ports())
    assert len(set(found)) == 4
    assert all(LOWEST <= port <= HIGHEST for port in found)


def test_a_port_in_use_is_not_handed_out() -> None:
    """Drawn again instead."""
    with socket.create_server((LOOPBACK, 0)) as server:
        taken = server.getsockname()[1]
        draws = iter([taken, taken, *astuple(free_ports())])
        assert not is_free(taken)
        assert taken not in astuple(free_ports(lambda _low, _high: next(draws)))


def test_no_free_port_is_an_error() -> None:
    """Instead of drawing for ever."""
    with socket.create_server((LOOPBACK, 0)) as server:
        taken = server.getsockname()[1]
        with pytest.raises(OSError, match="no free TCP port"):
            free_ports(lambda _low, _high: taken)
