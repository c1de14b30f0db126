"""What every format gives, and how it says what is wrong. Pure."""

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from reports.errors import ReportError
from reports.quantiles import PERCENTILES, Distribution

MOST_TOLD = 20
"""Faults of one file that are told one by one."""
_SHOWN = 40
_LEAST, _MOST = 1e-12, 1e15
EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2262, 1, 1, tzinfo=UTC)
"""Times that a store can hold."""
LATENCY_UNITS = {"ns": 1e-6, "us": 1e-3, "µs": 1e-3, "ms": 1.0, "s": 1e3}
"""Milliseconds in a unit, by how people write it."""
_TOLD = ("p50", "p99", "p99.9")


@dataclass(frozen=True)
class ForeignFigure:
    """One number.

    Attributes:
        metric: what it is, in the words of its tool.
        value: above 0.
        unit: as printed.
        lower_is_better: as for a latency.
        target, workload: what was measured and how; empty where the file does not tell.
        load: digits that change with anything the workload does; empty as above.
        scenario: the tool, or what it was part of.
        mode: full, or quick.
        host_class: kind of host; empty as above.
    """

    metric: str
    value: float
    unit: str
    lower_is_better: bool
    target: str = ""
    workload: str = ""
    load: str = ""
    scenario: str = ""
    mode: str = "full"
    host_class: str = ""


@dataclass(frozen=True)
class ImportedRun:
    """Figures of one time.

    Attributes:
        figures: what was found; several alike are trials of one run.
        time: when it was measured, with its zone; None where the file does not tell.
        commit: what was measured; empty where the file does not tell.
        committed: when that was made, in UTC; None as above.
        branch: where it is; empty as above.
        run_id: what it is called; empty: it is made of time and `identity`.
        seed: of the run.
        identity: what tells it from another run of the same time.
    """

    figures: tuple[ForeignFigure, ...]
    time: datetime | None = None
    commit: str = ""
    committed: datetime | None = None
    branch: str = ""
    run_id: str = ""
    seed: int = 0
    identity: str = ""


@dataclass(frozen=True)
class ForeignFile:
    """A file that was read.

    Attributes:
        name: for messages.
        text: what it holds.
        unit: of its latencies, where the format does not tell; a key of LATENCY_UNITS.
    """

    name: str
    text: str
    unit: str

    @property
    def digest(self) -> str:
        """Digits that change with anything it holds."""
        return hashlib.sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True)
class Format:
    """A kind of file.

    Attributes:
        name: as an option takes it.
        words: whose it is.
        seems: tells by its text whether a file is of this kind.
        read: gives its runs; raises ImportRefusedError.
        unit: of its latencies, where a file does not tell and nobody says; empty where it tells.
    """

    name: str
    words: str
    seems: Callable[[str], bool]
    read: Callable[[ForeignFile], list[ImportedRun]]
    unit: str = ""


class ImportRefusedError(ReportError):
    """Files cannot be imported.

    Attributes:
        faults: each a line that names file, place, value, what is allowed and the next step.
    """

    def __init__(self, faults: Sequence[str]) -> None:
        """Keep the faults."""
        super().__init__("; ".join(faults))
        self.faults = tuple(faults)


class Checks:
    """Collects the faults of one file."""

    def __init__(self, name: str) -> None:
        """Begin without a fault."""
        self._name = name
        self._faults: list[str] = []
        self._more = 0

    def fault(self, place: str, value: object, allowed: str) -> None:
        """Keep a fault: where, what stands there, what is allowed."""
        if len(self._faults) >= MOST_TOLD:
            self._more += 1
            return
        shown = f"{value:.{_SHOWN}}" if isinstance(value, str) else str(value)[:_SHOWN]
        self._faults.append(f"{self._name}: {place} is {shown!r}: {allowed}")

    def number(self, place: str, text: object, *, above: bool = False) -> float:
        """Return a number from 0 to 1e15, or one above 0; 0 or 1, and a fault, where it is none."""
        try:
            value = float(text) if isinstance(text, str | int | float) and not isinstance(text, bool) else math.nan
        except (ValueError, OverflowError):
            value = math.nan
        if value <= _MOST and (value >= _LEAST or (not above and value == 0)):
            return value
        self.fault(place, text, f"a number {'above 0' if above else 'from 0 on'} is allowed, up to {_MOST:g}")
        return float(above)

    def time(self, place: str, text: str) -> datetime | None:
        """Return a time in UTC; None where there is none, and a fault where it cannot be told or stored."""
        if not text:
            return None
        with suppress(ValueError, OverflowError):
            found = datetime.fromisoformat(text)
            if len(text) == len("2026-01-31"):
                found = found.replace(tzinfo=UTC)
            if found.tzinfo is not None and EARLIEST <= (found := found.astimezone(UTC)) < LATEST:
                return found
        self.fault(place, text, "ISO 8601 with a zone is allowed, such as 2026-01-31T12:00:00Z, or a date")
        return None

    @property
    def failed(self) -> bool:
        """Whether there was a fault."""
        return bool(self._faults)

    def done(self) -> None:
        """Raise ImportRefusedError where there was a fault."""
        if self._faults:
            more = [f"{self._name}: and {self._more:,} more faults"] if self._more else []
            raise ImportRefusedError([*self._faults, *more])


def refused(name: str, message: str) -> ImportRefusedError:
    """Return the error of a file that has one fault as a whole."""
    return ImportRefusedError([f"{name}: {message}"])


def percentiles(found: Distribution, of: str, scale: float) -> Iterator[ForeignFigure]:
    """Yield p50, p99 and p99.9 in ms, as far as enough values carry them.

    Args:
        found: values in the unit of a file.
        of: what they are, for the name of the metric.
        scale: milliseconds in that unit.
    """
    for name in _TOLD:
        if (value := found.reliable(PERCENTILES[name]) * scale) > 0:  # NaN where too few carry it
            yield ForeignFigure(f"{name} {of}", value, "ms", lower_is_better=True)
