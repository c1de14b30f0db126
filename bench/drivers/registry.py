"""The drivers there are: any package can bring one by an entry point; see docs/drivers.md.

To add one here: a light module with its `Driver`, and its line under
`[project.entry-points."busbench.drivers"]` in pyproject.toml; nothing else names it. A
package whose driver is broken, or whose name is taken, is left out with a message; the other
drivers still work. Client libraries are imported when a port is opened.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from functools import cache
from typing import Any, cast, get_args

from bench.drivers.base import Opener, Port, PortSpec
from bench.drivers.description import Driver, Protocol
from bench.host.clock import Clock
from brokers import entry_points
from brokers.entry_points import OURS, Declared, Group, declared, function, said

GROUP = "busbench.drivers"


class DriverUnusable(Exception):  # noqa: N818  (what it is, not whose error)
    """A driver's package is at fault: its module cannot be imported, or has no such function."""


Installed = entry_points.Installed[Driver]
"""A driver and the package that brings it."""


class DriverRegistry(entry_points.Registry[Driver]):
    """The drivers that were found."""

    def __init__(self, installed: Mapping[str, Installed], unusable: Sequence[entry_points.Unusable] = ()) -> None:
        """Keep what was found."""
        super().__init__("driver", installed, unusable)

    def speaking(self, protocol: str) -> str:
        """Return the names of the drivers of one protocol, for a message."""
        current = {name: one.member for name, one in self.installed.items() if one.member.now is None}
        return ", ".join(name for name, driver in current.items() if driver.protocol == protocol)

    def refusal(self, name: str) -> str | None:
        """Return why a name cannot be used: unknown, left out, or its client missing; None where it can."""
        if name in self.installed:
            lacking = self.installed[name].member.lacks()
            return f"{name!r} cannot be used: {lacking}" if lacking else None
        return self.unknown(name)


@cache
def registry() -> DriverRegistry:
    """Look for drivers, once in a process."""
    return collect(declared(GROUP))


def driver_named(name: str) -> Driver:
    """Return a driver; raise ValueError, naming those there are, for an unknown one."""
    found = registry()
    if name not in found.installed:
        raise ValueError(found.refusal(name))
    return found.installed[name].member


def open_port(name: str, spec: PortSpec, clock: Clock) -> Port:
    """Open a driver's port in this process.

    Raises:
        ValueError: an unknown driver, or one that runs inline only.
        DriverUnusable: what `open_port` of its description names is not to be had.
        DriverError: see `bench.drivers.base`.
    """
    driver = driver_named(name)
    if driver.open_port is None:
        message = f"driver {name!r} runs inline, not in a worker process"
        raise ValueError(message)
    try:
        opener = cast("Opener", function(driver.open_port))
    except Exception as error:
        package = registry().installed[name].package
        message = f"package {package}: driver {name!r} cannot be opened by {driver.open_port}: {said(error)}"
        raise DriverUnusable(message) from error
    return opener(spec, clock)


def warm(name: str) -> None:
    """Compile or load a driver's compiled code, where it has any, so that workers find it in the cache.

    Raises:
        ValueError: an unknown driver.
        DriverUnusable: it failed.
    """
    driver = driver_named(name)
    if driver.warm is None:
        return
    try:
        function(driver.warm)()
    except Exception as error:
        package = registry().installed[name].package
        message = f"package {package}: driver {name!r} cannot be warmed by {driver.warm}: {said(error)}"
        raise DriverUnusable(message) from error


def collect(points: Sequence[Declared]) -> DriverRegistry:
    """Load the drivers that entry points give; see `brokers.entry_points`."""
    group: Group[Driver] = Group(GROUP, "driver", _faults)
    found = entry_points.collect(group, points)
    return DriverRegistry(found.installed, found.unusable)


def _faults(point: Declared, found: Any) -> Iterator[str]:
    if not isinstance(found, Driver):
        yield f"{point.value} is a {type(found).__name__}, not a bench.drivers.description.Driver"
        return
    texts = [field.name for field in fields(found) if field.type in {str, str | None, Protocol}]
    wrong = [name for name in texts if not isinstance(getattr(found, name), str | None)]
    if wrong:
        yield f"{', '.join(wrong)} of {point.value} is no text"
        return
    if found.name != point.name:
        yield f"{point.value} calls itself {found.name!r}: entry point and description must agree"
    if found.protocol not in get_args(Protocol):
        yield f"it speaks {found.protocol!r}: there are {', '.join(get_args(Protocol))}"
    if point.package != OURS and (found.inline or found.protocol == "memory"):
        yield f"only a driver of {OURS} runs inline or serves the scripted memory broker"
    elif not found.inline and not all((found.open_port or "").partition(":")):
        yield f"open_port = {found.open_port!r}: write 'module:function'"
    elif found.warm is not None and not all(found.warm.partition(":")):
        yield f"warm = {found.warm!r}: write 'module:function'"
