"""The drivers there are: any package can bring one by an entry point; see docs/drivers.md.

To add one here: a light module with its `Driver`, and its line under
`[project.entry-points."busbench.drivers"]` in pyproject.toml; nothing else names it. A
package whose driver is broken, or takes a name that is taken, is told of and left out;
the other drivers are as they were. Client libraries are imported when a port is opened.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from importlib import import_module, metadata
from typing import Any, cast, get_args

from bench.clock import Clock
from bench.drivers.base import Opener, Port, PortSpec
from bench.drivers.description import Driver, Protocol
from bench.drivers.entry_points import GROUP, OURS, Declared, declared


class DriverUnusable(Exception):  # noqa: N818  (what it is, not whose error)
    """A driver's package is at fault: its module cannot be imported, or has no such function."""


@dataclass(frozen=True)
class Installed:
    """A driver and the package that brings it, with its version."""

    driver: Driver
    package: str


@dataclass(frozen=True)
class Unusable:
    """An entry point that gives no driver: its name, its package with version, and why."""

    name: str
    package: str
    fault: str

    def __str__(self) -> str:
        """Return one sentence for people."""
        return f"package {self.package}: driver {self.name!r} is left out: {self.fault}"


class Registry:
    """What was found.

    Attributes:
        installed: the drivers by name, ours first.
        unusable: the entry points that give none.
    """

    def __init__(self, installed: Mapping[str, Installed], unusable: Sequence[Unusable] = ()) -> None:
        """Keep what was found."""
        self.installed = dict(installed)
        self.unusable = tuple(unusable)

    def names(self, protocol: str | None = None) -> str:
        """Return the names of the drivers, of one protocol or of all, for a message."""
        drivers = (one.driver for one in self.installed.values())
        return ", ".join(driver.name for driver in drivers if protocol in {None, driver.protocol})

    def refusal(self, name: str) -> str | None:
        """Return why a name cannot be used: unknown, left out, or its client missing; None where it can."""
        if name in self.installed:
            lacking = self.installed[name].driver.lacks()
            return f"{name!r} cannot be used: {lacking}" if lacking else None
        broken = [str(one) for one in self.unusable if one.name == name]
        return "; ".join([f"{name!r} is no driver: choose {self.names()}", *broken])


@cache
def registry() -> Registry:
    """Look for drivers, once in a process."""
    return collect(declared())


def driver_named(name: str) -> Driver:
    """Return a driver; raise ValueError, naming those there are, for an unknown one."""
    found = registry()
    if name not in found.installed:
        raise ValueError(found.refusal(name))
    return found.installed[name].driver


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
        opener = cast("Opener", _function(driver.open_port))
    except Exception as error:
        package = registry().installed[name].package
        message = f"package {package}: driver {name!r} cannot be opened by {driver.open_port}: {_said(error)}"
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
        _function(driver.warm)()
    except Exception as error:
        package = registry().installed[name].package
        message = f"package {package}: driver {name!r} cannot be warmed by {driver.warm}: {_said(error)}"
        raise DriverUnusable(message) from error


def collect(points: Sequence[Declared]) -> Registry:
    """Load what entry points describe; ours keep their names, and one that two other packages take is nobody's."""
    installed: dict[str, Installed] = {}
    unusable: list[Unusable] = []
    for point in points:
        rivals = [other.owner for other in points if other.name == point.name and other is not point]
        ours = any(owner.startswith(f"{OURS} ") for owner in rivals)
        found: Driver | str
        if rivals and point.package != OURS:
            found = f"{', '.join(rivals)} brings one of that name" + ("" if ours else " too: uninstall either")
        else:
            found = _load(point)
        if isinstance(found, Driver):
            installed[point.name] = Installed(found, point.owner)
        else:
            unusable.append(Unusable(point.name, point.owner, found))
    return Registry(installed, unusable)


def _load(point: Declared) -> Driver | str:
    """Return the driver that an entry point describes, or what is wrong with it."""
    if point.value is None:
        return "its entry_points.txt cannot be read"
    try:
        found = metadata.EntryPoint(point.name, point.value, GROUP).load()
    except (Exception, SystemExit) as error:  # noqa: BLE001  (another package's code may raise anything)
        return f"{point.value} cannot be loaded: {_said(error)}"
    return "; ".join(_faults(point, found)) or cast("Driver", found)


def _faults(point: Declared, found: Any) -> Iterator[str]:
    if not isinstance(found, Driver):
        yield f"{point.value} is a {type(found).__name__}, not a bench.drivers.description.Driver"
        return
    texts = [field.name for field in fields(found) if field.name not in {"inline", "mixes", "multiplexes", "options"}]
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


def _function(place: str) -> Callable[..., Any]:
    """Import what `module:function` names."""
    module, _, function = place.partition(":")
    return cast("Callable[..., Any]", getattr(import_module(module), function))


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
