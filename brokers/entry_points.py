"""What packages bring: products, places and drivers, found by the entry points that they declare.

A group of entry points is a contract: its members are found, loaded and checked alike, ours
as well as those of other packages. A package whose member is broken, or whose name is
taken, is left out with a message; the others still work.
"""

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module, metadata
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

OURS = "busbench"
_PROJECT = Path(__file__).parents[1] / "pyproject.toml"

T = TypeVar("T")


@dataclass(frozen=True)
class Group(Generic[T]):
    """A group of entry points.

    Attributes:
        name: as pyproject.toml has it, such as `busbench.drivers`.
        noun: what a member is called in messages, such as `driver`.
        faults: returns what is wrong with what an entry point gave; nothing where it is a member.
    """

    name: str
    noun: str
    faults: Callable[["Declared", Any], Iterator[str]]


@dataclass(frozen=True)
class Declared:
    """An entry point as a package declares it.

    Attributes:
        name: of the member.
        package: name of the package.
        version: of the package.
        value: where the member is, as `module:object`; None where the package's
            entry_points.txt cannot be read.
    """

    name: str
    package: str
    version: str
    value: str | None

    @property
    def owner(self) -> str:
        """Name and version of the package."""
        return f"{self.package} {self.version}"


@dataclass(frozen=True)
class Installed(Generic[T]):
    """A member and the package that brings it, with its version."""

    member: T
    package: str


@dataclass(frozen=True)
class Unusable:
    """An entry point that gives no member: what it would be, its name, its package with version, and why."""

    noun: str
    name: str
    package: str
    fault: str

    def __str__(self) -> str:
        """Return one sentence for people."""
        return f"package {self.package}: {self.noun} {self.name!r} is left out: {self.fault}"


class Registry(Generic[T]):
    """What was found of a group.

    Attributes:
        installed: the members by name, ours first.
        unusable: the entry points that give none.
    """

    def __init__(self, noun: str, installed: Mapping[str, Installed[T]], unusable: Sequence[Unusable] = ()) -> None:
        """Keep what was found."""
        self.installed = dict(installed)
        self.unusable = tuple(unusable)
        self._noun = noun

    def names(self) -> str:
        """Return the names of the members, for a message."""
        return ", ".join(self.installed)

    def unknown(self, name: str) -> str | None:
        """Return why a name means no member, with those there are; None where it means one."""
        if name in self.installed:
            return None
        broken = [str(one) for one in self.unusable if one.name == name]
        return "; ".join([f"{name!r} is no {self._noun}: choose {self.names()}", *broken])


def declared(group: str) -> list[Declared]:
    """Return the entry points of every package: ours first, then by the package's name.

    Ours are those of pyproject.toml where this is a checkout: what pip wrote down of an
    editable installation dates from the day it was made.
    """
    checkout = _of_checkout(group)
    found = [point for point in _of_packages(group) if not checkout or point.package != OURS]
    return checkout + sorted(found, key=lambda point: (point.package != OURS, point.package.lower()))


def collect(group: Group[T], points: Sequence[Declared]) -> Registry[T]:
    """Load what entry points give; ours keep their names, and one that two other packages take is nobody's."""
    installed: dict[str, Installed[T]] = {}
    unusable: list[Unusable] = []
    for point in points:
        rivals = [other.owner for other in points if other.name == point.name and other is not point]
        ours = any(owner.startswith(f"{OURS} ") for owner in rivals)
        if rivals and point.package != OURS:
            fault = f"{', '.join(rivals)} brings one of that name" + ("" if ours else " too: uninstall either")
        else:
            found, fault = _load(group, point)
        if fault:
            unusable.append(Unusable(group.noun, point.name, point.owner, fault))
        else:
            installed[point.name] = Installed(cast("T", found), point.owner)
    return Registry(group.noun, installed, unusable)


def _load(group: Group[T], point: Declared) -> tuple[Any, str]:
    """Return what an entry point gives, and what is wrong with it; nothing where it is a member."""
    if point.value is None:
        return None, "its entry_points.txt cannot be read"
    try:
        found = metadata.EntryPoint(point.name, point.value, group.name).load()
    except (Exception, SystemExit) as error:  # noqa: BLE001  (another package's code may raise anything)
        return None, f"{point.value} cannot be loaded: {said(error)}"
    try:
        return found, "; ".join(group.faults(point, found))
    except Exception as error:  # noqa: BLE001  (as above)
        return None, f"{point.value} cannot be checked: {said(error)}"


def function(place: str) -> Callable[..., Any]:
    """Import what `module:function` names."""
    module, _, name = place.partition(":")
    return cast("Callable[..., Any]", getattr(import_module(module), name))


def said(error: BaseException) -> str:
    """Return an error of another package's code in words."""
    return f"{type(error).__name__}: {error}"


def _of_checkout(group: str) -> list[Declared]:
    if not _PROJECT.exists():
        return []
    project = tomllib.loads(_PROJECT.read_text(encoding="utf-8")).get("project", {})
    if project.get("name") != OURS:
        return []
    points = project["entry-points"].get(group, {})
    return [Declared(name, OURS, project["version"], value) for name, value in points.items()]


def _of_packages(group: str) -> list[Declared]:
    """Return what installed packages declare; of two copies of one on the path the first counts."""
    found: dict[str, list[Declared]] = {}
    for distribution in metadata.distributions():
        if group in (distribution.read_text("entry_points.txt") or ""):
            name = re.sub(r"[-_.]+", "-", str(distribution.metadata["Name"])).lower()
            found.setdefault(name, _points(distribution, group))
    return [point for points in found.values() for point in points]


def _points(distribution: metadata.Distribution, group: str) -> list[Declared]:
    package, version = str(distribution.metadata["Name"]), str(distribution.metadata["Version"])
    try:
        points = distribution.entry_points.select(group=group)
    except (TypeError, ValueError):  # a line that is neither a group nor `name = value`
        return [Declared(group, package, version, None)]
    return [Declared(point.name, package, version, point.value) for point in points]
