"""What was measured of a driver against the null peer, and where it is kept for the health verdict of later trials."""

import os
import platform
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from bench.drivers.registry import Installed, registry
from bench.host.cache import cache_root, keep_models, kept_models
from bench.host.cpu import cpu_model
from bench.results.base import Record

Side = Literal["send", "receive"]


class Way(Record):
    """One way of a driver: sending or receiving, with or without confirms and acknowledgements."""

    side: Side
    settled: bool
    """Whether every message was confirmed, or acknowledged."""
    rate: float
    """Messages a second of one worker process."""
    cpu_us: float
    """CPU time of that process a message, µs."""


class Ceiling(Record):
    """A driver's ceiling on one host."""

    driver: str
    version: str
    """Of its package and client library."""
    host: str
    """CPU model and count, kernel."""
    measured_utc: str
    size: int
    """Bytes of a body."""
    ways: tuple[Way, ...]

    def rate(self, *, confirms: bool, acks: bool) -> float | None:
        """Return what one sending and one receiving worker can do at most, msg/s, whichever is less.

        None where neither was measured so.
        """
        wanted = {"send": confirms, "receive": acks}
        return min((way.rate for way in self.ways if way.settled == wanted[way.side]), default=None)


def read(file: Path) -> dict[str, Ceiling]:
    """Return the ceilings that are kept in a file, by driver; none where it is missing or of another make."""
    return kept_models(file, Ceiling)


def keep(file: Path, ceilings: Iterable[Ceiling]) -> None:
    """Add ceilings to a file, in place of older ones of the same drivers."""
    keep_models(file, read(file) | {one.driver: one for one in ceilings})


def applies(ceiling: Ceiling | None, version: str, host: str) -> Ceiling | None:
    """Return a ceiling that was measured with this version on this host; else None."""
    return ceiling if ceiling is not None and (ceiling.version, ceiling.host) == (version, host) else None


def kept_file() -> Path:
    """Return where ceilings are kept."""
    return cache_root() / "ceilings.json"


def host_name() -> str:
    """Return what a ceiling depends on apart from the driver: kind and number of CPUs, kernel."""
    return f"{cpu_model()}, {os.cpu_count()} CPUs, {platform.system()} {platform.release()}"


def version(installed: Installed) -> str:
    """Return the version that a ceiling was measured with."""
    return ", ".join(filter(None, (installed.package, installed.member.client_version())))


def ceilings_of(drivers: Iterable[str], file: Path | None = None) -> dict[str, Ceiling]:
    """Return what is kept of these drivers and applies; nothing of the others.

    Args:
        drivers: names.
        file: where they are kept; by default in the user's cache.
    """
    kept, host, installed = read(file or kept_file()), host_name(), registry().installed
    # What is kept of a driver stands under its name of today.
    today = {name: installed[name].member.now or name for name in dict.fromkeys(drivers) if name in installed}
    usable = [name for name in today if today[name] in kept and installed[name].member.lacks() is None]
    found = {name: applies(kept[today[name]], version(installed[name]), host) for name in usable}
    return {name: one for name, one in found.items() if one is not None}
