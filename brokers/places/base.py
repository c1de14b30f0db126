"""What a place is: somewhere the processes of a broker can be started and ended.

A place knows nothing of AMQP or of any broker. The place `external` is none of these:
nothing is started there (see `brokers.external`).
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from brokers.limits import Limits


@dataclass(frozen=True)
class Launch:
    """A broker's program, ready to be started.

    Paths in `argv` and `environment` are those seen inside the place: of the image's
    root file system, and of the broker's folder as `Place.home` names it.

    Attributes:
        argv: the command and its arguments.
        environment: every environment variable; nothing is inherited.
        folder: the broker's own folder on this host, the only one it may write.
        output: file on this host that takes its standard output and error.
        main: name of the process that takes signals (`beam.smp`, `java`).
    """

    argv: tuple[str, ...]
    environment: Mapping[str, str]
    folder: Path
    output: Path
    main: str


class Running(ABC):
    """The processes of one started broker."""

    @abstractmethod
    def pids(self) -> tuple[int, ...]:
        """Return the host ids of the broker's processes, those of the place itself left out.

        Cheap enough for every 100 ms; a process may be missing for its first second.
        """

    @abstractmethod
    def exit_code(self) -> int | None:
        """Return the exit code (128 + n after signal n), or None while it runs."""

    @abstractmethod
    def signal(self, signum: int) -> None:
        """Send a signal to the main process; nothing happens where it has ended."""

    @abstractmethod
    def wait(self, timeout_s: float) -> bool:
        """Wait for the main process to end; return whether it has."""

    @abstractmethod
    def end(self) -> None:
        """End every process at once and return when none is left; may be called again."""


class Place(ABC):
    """Somewhere brokers are started."""

    @abstractmethod
    def home(self, folder: Path) -> PurePosixPath:
        """Return the path by which the broker sees its own folder."""

    @abstractmethod
    def start(self, launch: Launch, limits: Limits) -> Running:
        """Start a program within limits.

        Raises:
            OSError: it cannot be started; the message says why.
        """
