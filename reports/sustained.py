"""Highest sustainable rates, as a search found them: an interval from the last rate that held to the first that failed.

A search leaves `search.json` in its results folder. A folder without one says nothing here.
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from reports.errors import ReportError
from reports.model import Model

FILE = "search.json"


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
    file = folder / FILE
    if not file.exists():
        return ()
    try:
        return tuple(_rows(json.loads(file.read_text(encoding="utf-8"))))
    except (OSError, ValueError, KeyError, TypeError) as error:
        message = f"{file} is damaged ({error!r}): search again, or move it away."
        raise ReportError(message) from None


def read_all(folders: Iterable[Path]) -> tuple[Sustained, ...]:
    """Return the rows of several folders, in their order; see `read`."""
    return tuple(row for folder in folders for row in read(folder))


def _rows(found: dict[str, Any]) -> Iterator[Sustained]:
    for each in found["answers"]:
        yield Sustained(
            target=each["target"],
            workload=each["workload"],
            low=each.get("low"),
            high=each.get("high"),
            why=each.get("why") or "",
            client_bound=bool(each.get("client_bound", False)),
        )
