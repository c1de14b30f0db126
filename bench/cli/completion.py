"""What the shell offers for an argument or an option's value. Light: a key was pressed, and somebody waits.

Files and names of entry points are looked at, and nothing is imported that they stand for. Where
nothing is offered, the shell completes names of files.
"""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from brokers.entry_points import declared

_BENCH, _BROKERS = Path(__file__).parents[1], Path(__file__).parents[2] / "brokers"
_RESULTS = Path("results")
_MOST = 200
"""Results folders that are offered; more would fill the terminal."""
_LOOKED_AT = 1 << 16
"""Bytes of a file of this folder."""


def scenario_names(incomplete: str) -> list[str]:
    """Return the shipped scenarios, and those that lie in this folder; none for what is a path already."""
    if "/" in incomplete:
        return []
    shipped = sorted(path.stem for path in (_BENCH / "scenarios").glob("*.toml"))
    return [*shipped, *sorted(path.name for path in Path().glob("*.toml") if _has_targets(path))]


def _has_targets(path: Path) -> bool:
    """Return whether a TOML file may be a scenario."""
    try:
        if not path.is_file():
            return False  # a FIFO would wait for a writer
        with path.open("rb") as file:
            return b"targets" in file.read(_LOOKED_AT)
    except OSError:
        return False


def driver_names(incomplete: str) -> list[str]:  # noqa: ARG001  (the signature of all)
    """Return the names of drivers."""
    return [one.name for one in declared("busbench.drivers")]


def broker_kinds(incomplete: str) -> list[str]:  # noqa: ARG001
    """Return the kinds of brokers."""
    return [one.name for one in declared("busbench.brokers")]


def recipe_names(incomplete: str) -> list[str]:  # noqa: ARG001
    """Return the recipes of images."""
    return sorted(path.stem for path in (_BROKERS / "image").glob("*.toml"))


def results_folders(incomplete: str) -> list[str]:
    """Return the folders that hold a run: those of `results`, and those beside what was typed; the newest first."""
    typed = Path(incomplete if incomplete.endswith("/") else Path(incomplete).parent)
    return [str(folder) for place in dict.fromkeys((typed, _RESULTS)) for folder in islice(_runs(place), _MOST)]


def _runs(place: Path) -> Iterator[Path]:
    try:
        found = [(folder.stat().st_mtime, folder) for folder in place.iterdir() if (folder / "run.json").is_file()]
    except OSError:
        return
    yield from (folder for _, folder in sorted(found, reverse=True))
