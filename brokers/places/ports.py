"""Free TCP ports on the loopback interface for a broker that is about to start.

Ports are drawn at random below the range from which the kernel numbers outgoing
connections, so that no client's own socket can take one between choice and use.
"""

import random
import socket
from collections.abc import Callable, Sequence

LOOPBACK = "127.0.0.1"
LOWEST, HIGHEST = 10_240, 32_767
"""Above the ports of well-known services, below Linux's default ip_local_port_range."""


def is_free(port: int) -> bool:
    """Return whether nothing listens on this port of the loopback interface."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: a connection in TIME_WAIT does not make a port taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def free_ports(names: Sequence[str], draw: Callable[[int, int], int] | None = None) -> dict[str, int]:
    """Return distinct free ports, one a name.

    Args:
        names: what each port is for.
        draw: returns a number between two bounds, both included; random by default.

    Raises:
        OSError: too few free ports were found in a thousand draws.
    """
    # The system's randomness: a seeded program must not draw the same ports as its twin.
    draw = draw or random.SystemRandom().randint
    found: list[int] = []
    for _ in range(1_000):
        port = draw(LOWEST, HIGHEST)
        if port not in found and is_free(port):
            found.append(port)
        if len(found) >= len(names):
            return dict(zip(names, found, strict=False))
    message = f"no free TCP port on {LOOPBACK} between {LOWEST} and {HIGHEST}"
    raise OSError(message)
