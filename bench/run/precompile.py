"""Compiles code once, before workers start: otherwise each worker would compile it itself, and time out."""

import threading
from collections.abc import Callable, Iterable

from bench.drivers import registry
from bench.host import canary
from bench.record.account import warm_kernels

_PATIENCE_S = 2.0


def warm_up(drivers: Iterable[str], say: Callable[[str], None], patience_s: float = _PATIENCE_S) -> None:
    """Compile, or load, the kernels of the logs and of these drivers into the cache that workers load them from.

    If a driver's code cannot be compiled, that is said and the run goes on: its trials will fail and say why.

    Args:
        drivers: names.
        say: is told, from another thread, where it takes longer than loading does; and of drivers that cannot.
        patience_s: from when on it takes long.
    """
    timer = threading.Timer(patience_s, say, ["compiling; this happens once after an installation or an update"])
    timer.daemon = True
    timer.start()
    try:
        warm_kernels()
        canary.warm()
        for name in dict.fromkeys(drivers):
            try:
                registry.warm(name)
            except registry.DriverUnusable as error:
                say(str(error))
    finally:
        timer.cancel()
