"""Where noise floors are kept, by class of hosts: in the user's cache, for the comparisons of later runs."""

from pathlib import Path

from bench.host.cache import cache_root, keep_models, kept_models
from bench.results.records import NoiseFloor


def kept_file() -> Path:
    """Return where noise floors are kept."""
    return cache_root() / "noise-floors.json"


def floor_of(host_class: str, file: Path | None = None) -> NoiseFloor | None:
    """Return what is kept of a class of hosts; None where it was not measured.

    Args:
        host_class: see `bench.host.hostclass`.
        file: where floors are kept; by default in the user's cache.
    """
    return kept_models(file or kept_file(), NoiseFloor).get(host_class)


def keep(floor: NoiseFloor, file: Path | None = None) -> None:
    """Keep a floor, in place of an older one of its class of hosts.

    Raises:
        OSError: it cannot be written.
    """
    place = file or kept_file()
    keep_models(place, kept_models(place, NoiseFloor) | {floor.host_class: floor})
