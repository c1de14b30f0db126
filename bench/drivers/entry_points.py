"""Which packages declare drivers, as their metadata say: names and places, nothing is loaded here."""

import re
import tomllib
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

GROUP = "busbench.drivers"
OURS = "busbench"
_PROJECT = Path(__file__).parents[2] / "pyproject.toml"


@dataclass(frozen=True)
class Declared:
    """An entry point as a package declares it.

    Attributes:
        name: of the driver.
        package: name of the package.
        version: of the package.
        value: where the description is, as `module:object`; None where the package's
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


def declared() -> list[Declared]:
    """Return the entry points of every package: ours first, then by the package's name.

    Ours are those of pyproject.toml where this is a checkout: what pip wrote down of an
    editable installation dates from the day it was made.
    """
    checkout = _of_checkout()
    found = [point for point in _of_packages() if not checkout or point.package != OURS]
    return checkout + sorted(found, key=lambda point: (point.package != OURS, point.package.lower()))


def _of_checkout() -> list[Declared]:
    if not _PROJECT.exists():
        return []
    project = tomllib.loads(_PROJECT.read_text(encoding="utf-8")).get("project", {})
    if project.get("name") != OURS:
        return []
    points = project["entry-points"][GROUP]
    return [Declared(name, OURS, project["version"], value) for name, value in points.items()]


def _of_packages() -> list[Declared]:
    """Return what installed packages declare; of two copies of one on the path the first counts."""
    found: dict[str, list[Declared]] = {}
    for distribution in metadata.distributions():
        if GROUP in (distribution.read_text("entry_points.txt") or ""):
            name = re.sub(r"[-_.]+", "-", str(distribution.metadata["Name"])).lower()
            found.setdefault(name, _points(distribution))
    return [point for points in found.values() for point in points]


def _points(distribution: metadata.Distribution) -> list[Declared]:
    package, version = str(distribution.metadata["Name"]), str(distribution.metadata["Version"])
    try:
        points = distribution.entry_points.select(group=GROUP)
    except (TypeError, ValueError):  # a line that is neither a group nor `name = value`
        return [Declared(GROUP, package, version, None)]
    return [Declared(point.name, package, version, point.value) for point in points]
