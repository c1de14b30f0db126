"""Which of the kept ceilings apply to a run here and now: the same driver and version, on this host."""

from collections.abc import Iterable
from pathlib import Path

from bench.ceiling.figures import Ceiling, applies, read
from bench.ceiling.measure import host_name, kept_file, version
from bench.drivers.registry import registry


def ceilings_of(drivers: Iterable[str], file: Path | None = None) -> dict[str, Ceiling]:
    """Return what is kept of these drivers and applies; nothing of the others.

    Args:
        drivers: names.
        file: where they are kept; by default in the user's cache.
    """
    kept, host, installed = read(file or kept_file()), host_name(), registry().installed
    known = [name for name in dict.fromkeys(drivers) if name in kept and name in installed]
    usable = [name for name in known if installed[name].member.lacks() is None]
    found = {name: applies(kept[name], version(installed[name]), host) for name in usable}
    return {name: one for name, one in found.items() if one is not None}
