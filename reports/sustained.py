"""Highest sustainable rates, as a search found them: an interval from the last rate that held to the first that failed.

A search leaves `search.json` in its results folder. A folder without one says nothing here.
"""

from collections.abc import Iterable
from pathlib import Path

from bench.results.archive import ArchiveError, read_search
from reports.errors import ReportError
from reports.model import Model


class Sustained(Model):
    """The highest rate that a row sustained."""

    target: str
    workload: str
    low: float | None
    """Highest rate that held its confirming hold, messages a second; None where none did."""
    high: float | None
    """Lowest rate that failed its hold; None where none failed."""
    why: str
    """Why `high` failed."""
    client_bound: bool
    """Our own client held it back: the row is a lower bound."""


def read(folder: Path) -> tuple[Sustained, ...]:
    """Return what a search of this folder found; nothing where there was none.

    Raises:
        ReportError: the file cannot be read.
    """
    try:
        found = read_search(folder)
    except ArchiveError as error:
        raise ReportError(str(error)) from None
    names = set(Sustained.model_fields)
    return tuple(Sustained(**each.model_dump(include=names)) for each in (found.answers if found else ()))


def read_all(folders: Iterable[Path]) -> tuple[Sustained, ...]:
    """Return the rows of several folders, in their order; see `read`."""
    return tuple(row for folder in folders for row in read(folder))
