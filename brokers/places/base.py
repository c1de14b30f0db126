"""What a place is: somewhere brokers run.

Two kinds: a place that starts programs (`StartingPlace`) says how that is done and leaves
the broker to `brokers.started_broker`; one that does not, such as `external`, makes its own
broker. An entry point of the group `busbench.places` names the class.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar, cast

from brokers.base import Broker
from brokers.entry_points import function
from brokers.ground import DATA, NETWORK, VIRTUALISATION
from brokers.places.data_disk import data_words
from brokers.places.sampling import ProcessUsage
from brokers.product import Product
from brokers.settings import BrokerSettings

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Opening:
    """What a broker is made of.

    Attributes:
        product: what it is.
        settings: what is wanted of it.
        folder: its own folder; its start empties it. Unused where nothing is started.
        image_root: root file system of the image; None for a place that needs none.
        environ: where credentials of brokers that someone else runs are looked up.
        consume_existing: whether messages in queues that the user named may be consumed.
    """

    product: Product[Any]
    settings: BrokerSettings
    folder: Path
    image_root: Path | None
    environ: Mapping[str, str]
    consume_existing: bool = False


@dataclass(frozen=True)
class Caps:
    """Limits for everything that a broker runs.

    Attributes:
        memory: bytes.
        cpus: how many.
        pinned: their numbers, where it is pinned to some; else none.
    """

    memory: int
    cpus: int
    pinned: tuple[int, ...] = ()


@dataclass(frozen=True)
class Launch:
    """A broker's program, ready to be started.

    Paths in `argv` and `environment` are those seen inside the place, with the broker's
    folder as `StartingPlace.home` names it.

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
    """The processes of one started program, its limits, and what it uses."""

    limits: Mapping[str, str] = {}
    """`memory` and `cpus`, and how each is enforced, for the report."""

    @abstractmethod
    def pids(self) -> tuple[int, ...]:
        """Return the host ids of the program's processes, those of the place itself left out.

        Cheap enough for every 100 ms; a process may be missing for its first second. Empty
        where this host does not see them.
        """

    @abstractmethod
    def usage(self) -> ProcessUsage | None:
        """Return what the program has used so far; None where that cannot be seen. Cheap enough for every 100 ms."""

    @abstractmethod
    def switches(self) -> tuple[int, int] | None:
        """Return voluntary and involuntary context switches so far; None where they cannot be seen."""

    @abstractmethod
    def exit_code(self) -> int | None:
        """Return the exit code (128 + n after signal n), or None while it runs."""

    @abstractmethod
    def out_of_memory(self) -> bool:
        """Return whether it was ended because the memory cap was reached."""

    @abstractmethod
    def signal(self, signum: int) -> None:
        """Send a signal to the main process; nothing happens where it has ended."""

    @abstractmethod
    def wait(self, timeout_s: float) -> bool:
        """Wait for the main process to end; return whether it has."""

    @abstractmethod
    def end(self) -> None:
        """End every process at once, and take the limits away, when none is left; may be called again."""


class Place(ABC):
    """Somewhere brokers run.

    Attributes:
        name: as scenarios write it; also the name of the entry point.
        summary: one line for lists.
        starts: whether brokers are started there by us, and may be started anew.
        from_image: whether an image is needed.
        options: names and meanings of what only this place understands.
        caveats: what figures measured there do not show; each is written as reports list it: what is not shown, a
            colon, and why.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    starts: ClassVar[bool] = True
    from_image: ClassVar[bool] = False
    options: ClassVar[tuple[tuple[str, str], ...]] = ()
    caveats: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def lacks(cls) -> str | None:
        """Return what this machine lacks for it and how to get it; None where nothing is missing."""
        return None

    @classmethod
    @abstractmethod
    def open(cls, given: Opening) -> Broker:
        """Return a broker there; nothing is started or connected yet.

        Raises:
            ValueError: it needs an image and was given none.
        """


class StartingPlace(Place):
    """A place that starts programs."""

    def __init__(self, image_root: Path | None, options: Mapping[str, str]) -> None:
        """Take the image's root file system, where the place needs one, and its own options."""
        self.image_root = image_root
        self.options_given = options

    @classmethod
    def open(cls, given: Opening) -> Broker:
        """See `Place`."""
        if cls.from_image and given.image_root is None:
            message = f"broker {given.settings.name!r} is started from an image, and none was given"
            raise ValueError(message)
        # Imported now: how a broker is started is known there, whatever the place.
        started = cast("Callable[[Opening, StartingPlace], Broker]", function("brokers.started_broker:StartedBroker"))
        return started(given, cls(given.image_root, given.settings.place_options))

    @property
    def listens(self) -> str:
        """The address at which programs listen, as they see it; known once `prepare` was called."""
        return LOOPBACK

    @property
    def host(self) -> str:
        """The address at which the workers reach them, on the same ports; known once `prepare` was called."""
        return self.listens

    def ground(self, folder: Path) -> dict[str, str]:
        """Return what a program there stands on, in words, by the names of `brokers.ground`; known once it is started.

        Args:
            folder: the broker's own folder on this host.
        """
        return {NETWORK: "loopback", DATA: data_words(folder), VIRTUALISATION: "none"}

    def prepare(self, folder: Path) -> None:
        """Make the ground ready, such as a network; called at each start, before ports are asked for.

        Args:
            folder: the broker's own folder, which is not made yet.

        Raises:
            OSError: that is impossible; the message says why, and nothing of it is left.
        """

    def clear(self) -> None:
        """Take away what `prepare` made, when every program has ended; may be called again, or without `prepare`."""

    @abstractmethod
    def home(self, folder: Path) -> PurePosixPath:
        """Return the path by which the program sees the broker's folder."""

    @abstractmethod
    def newest(self, pattern: str) -> PurePosixPath:
        """Return the last of the files that match a pattern below `/`, by name, as the program sees it.

        Raises:
            FileNotFoundError: there is none; the message says where was looked.
        """

    @abstractmethod
    def free_ports(self, names: tuple[str, ...]) -> dict[str, int]:
        """Return a free port for each name.

        Raises:
            OSError: there are none.
        """

    @abstractmethod
    def start(self, launch: Launch, caps: Caps | None) -> Running:
        """Start a program within limits; None = within none of its own.

        Raises:
            OSError: it cannot be started; the message says why.
        """
