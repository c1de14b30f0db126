"""Where noise floors are kept, by class of hosts: in the user's cache, for the comparisons of later runs."""

import json
from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from bench.host.cache import cache_root
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
    return _read(file or kept_file()).get(host_class)


def keep(floor: NoiseFloor, file: Path | None = None) -> None:
    """Keep a floor, in place of an older one of its class of hosts.

    Raises:
        OSError: it cannot be written.
    """
    place = file or kept_file()
    floors = _read(place) | {floor.host_class: floor}
    place.parent.mkdir(parents=True, exist_ok=True)
    partial = place.with_suffix(".partial")
    partial.write_text(json.dumps({name: one.model_dump() for name, one in floors.items()}, indent=1), encoding="utf-8")
    partial.replace(place)


def _read(file: Path) -> dict[str, NoiseFloor]:
    with suppress(OSError, ValueError, AttributeError, ValidationError):
        document = json.loads(file.read_text(encoding="utf-8"))
        return {name: NoiseFloor.model_validate(one) for name, one in document.items()}
    return {}
