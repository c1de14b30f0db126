"""What the way to each place costs without any broker, so that no bridge is taken for virtualisation.

A program that sends back what it gets is started in each place, within the limits of a broker. Then every path has
its turn in each of several rounds, so that what changes on the host meanwhile is common to all.
"""

import contextlib
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.host.affinity import on_cpus
from bench.results.bare_path import BarePath
from bench.scenario.products import from_image, starts
from bench.scenario.scenario import MemoryBroker, Scenario
from bench.units import NS_PER_S
from brokers.places.base import Caps, Launch, Running, StartingPlace
from brokers.places.in_force import in_force
from brokers.registry import places
from brokers.regular_file import open_regular
from brokers.settings import BrokerSettings

ROUNDS = 5
ROUND_S = 1.0
RATE = 2000.0
"""Round trips a second: the program rests between two, as a broker does under such a load."""
SIZE = 100
START_TIMEOUT_S = 120.0
ANSWER_TIMEOUT_S = 10.0
_WARM_S = 0.5
_POLL_S = 0.05
_PORT = "echo"
_SAID_BYTES = 2000
_PERL = "usr/bin/perl"
ECHO = (
    "use Socket; my ($at, $port) = @ARGV; socket(my $s, PF_INET, SOCK_STREAM, 0) or die;"
    " setsockopt($s, SOL_SOCKET, SO_REUSEADDR, 1); bind($s, sockaddr_in($port, inet_aton($at))) or die $!;"
    " listen($s, 5) or die $!; while (accept(my $c, $s)) { setsockopt($c, IPPROTO_TCP, TCP_NODELAY, 1);"
    " my $data; while (sysread($c, $data, 65536)) { syswrite($c, $data) } }"
)
"""The program: every Debian, and so the image, has perl-base with this module."""


@dataclass(frozen=True)
class UsedPlace:
    """A place in which brokers of a scenario are started.

    Attributes:
        settings: of the first of them.
        brokers: the names of all.
    """

    settings: BrokerSettings
    brokers: tuple[str, ...]


def ways(scenario: Scenario) -> tuple[UsedPlace, ...]:
    """Return the places in which brokers of a scenario are started, each with its own options, in order."""
    found: dict[tuple[object, ...], list[BrokerSettings]] = {}
    for broker in scenario.brokers:
        if not isinstance(broker, MemoryBroker) and starts(broker):
            key = (broker.place, *sorted(broker.place_options.items()))
            found.setdefault(key, []).append(broker)
    return tuple(UsedPlace(some[0], tuple(one.name for one in some)) for some in found.values())


def measure_paths(
    scenario: Scenario, image_roots: Mapping[str, Path], scratch: Path, say: Callable[[str], None]
) -> tuple[BarePath, ...]:
    """Return what the way to each place costs; a fault is told in the result.

    Args:
        scenario: none of its brokers runs.
        image_roots: root file systems by recipe.
        scratch: a folder for the programs' folders.
        say: is told what happens.
    """
    with contextlib.ExitStack() as stack:
        echoes: list[Echo] = []
        found: list[BarePath] = []
        for number, way in enumerate(ways(scenario)):
            say(f"measuring the bare path to place {way.settings.place} {_words(way.settings.place_options)}".rstrip())
            root = image_roots.get(way.settings.image) if from_image(way.settings) else None
            try:
                echoes.append(stack.enter_context(echoing(way, root, scratch / f"{_PORT}-{number}")))
            except OSError as error:
                found.append(_path(way).model_copy(update={"why_not": str(error)}))
        # Not before all run: a program inherits the CPUs of who starts it.
        with on_cpus(scenario.plan.client_cpus):
            return (*_measured(echoes), *found)


def _words(options: Mapping[str, str]) -> str:
    return " ".join(f"{name} = {value}" for name, value in options.items())


def _path(way: UsedPlace) -> BarePath:
    return BarePath(place=way.settings.place, options=dict(way.settings.place_options), brokers=way.brokers)


@dataclass
class Echo:
    """A program that answers.

    Attributes:
        path: what is known of it before the first round.
        connection: to it.
        running: it.
    """

    path: BarePath
    connection: socket.socket
    running: Running

    def round(self, seconds: float) -> tuple[float, float, float | None]:
        """Return p50 and p99 of the round trips of some time, ns, and CPU time of each, microseconds.

        Raises:
            OSError: it does not answer.
        """
        took_ns: list[int] = []
        body = bytes(SIZE)
        before = self.running.usage()
        begin_ns = due_ns = time.monotonic_ns()
        while due_ns < begin_ns + seconds * NS_PER_S:
            time.sleep(max(0.0, (due_ns - time.monotonic_ns()) / NS_PER_S))
            sent_ns = time.monotonic_ns()
            self._there_and_back(body)
            now_ns = time.monotonic_ns()
            took_ns.append(now_ns - sent_ns)
            due_ns = max(due_ns + int(NS_PER_S / RATE), now_ns)
        after = self.running.usage()
        used = None if before is None or after is None else (after.cpu_s - before.cpu_s) * 1e6 / len(took_ns)
        p50, p99 = np.percentile(np.array(took_ns), [50, 99])
        return float(p50), float(p99), used

    def _there_and_back(self, body: bytes) -> None:
        self.connection.sendall(body)
        left = len(body)
        while left:
            came = self.connection.recv(left)
            if not came:
                message = "it closed the connection"
                raise ConnectionError(message)
            left -= len(came)


@contextlib.contextmanager
def echoing(way: UsedPlace, root: Path | None, folder: Path) -> Iterator[Echo]:
    """Start the program in a place and connect to it.

    Args:
        way: the place.
        root: root file system of the image, where the place needs one.
        folder: of the program's own, not there yet.

    Raises:
        OSError: that is impossible.
    """
    settings = way.settings
    place = _place(settings, root)
    try:
        place.prepare(folder)
        folder.mkdir(parents=True)
        port = place.free_ports((_PORT,))[_PORT]
        argv = (str(place.newest(_PERL)), "-e", ECHO, place.listens, str(port))
        launch = Launch(argv, {"PATH": "/usr/bin:/bin"}, folder, folder / "console.log", "perl")
        begun_s = time.monotonic()
        running = place.start(launch, Caps(int(settings.memory), settings.cpu_count, settings.pinned))
        try:
            with _connected(running, (place.host, port), launch.output) as connection:
                echo = Echo(_path(way), connection, running)
                first_s = time.monotonic() - begun_s
                ground = place.ground(folder) | in_force(running.pids())
                known = {"first_answer_s": first_s, "ground": ground, "size": SIZE, "rate": RATE}
                echo.path = echo.path.model_copy(update=known)
                yield echo
        finally:
            running.end()
    finally:
        place.clear()


def _place(settings: BrokerSettings, root: Path | None) -> StartingPlace:
    found = places().installed[settings.place].member
    if not issubclass(found, StartingPlace):
        message = f"place {settings.place!r} starts no programs of ours"
        raise OSError(message)
    return found(root, settings.place_options)


def _connected(running: Running, at: tuple[str, int], output: Path) -> socket.socket:
    """Return a connection on which an answer came, once the program is there to give it."""
    until_s = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < until_s:
        with contextlib.suppress(OSError):
            connection = socket.create_connection(at, timeout=ANSWER_TIMEOUT_S)
            try:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                # Some networks of virtual machines accept before the guest does, and hang up.
                connection.sendall(b"?")
                if connection.recv(1):
                    return connection
            except OSError:
                pass
            connection.close()
        if running.wait(_POLL_S):
            break
    with os.fdopen(open_regular(output), errors="replace") as file:
        said = " ".join(file.read(_SAID_BYTES).split())
    message = f"the program that answers does not: {said or 'it says nothing'}"
    raise OSError(message)


def _measured(echoes: Sequence[Echo]) -> Iterator[BarePath]:
    rounds: dict[int, list[tuple[float, float, float | None]]] = {number: [] for number in range(len(echoes))}
    faults: dict[int, str] = {}
    for turn in range(-1, ROUNDS):
        order = sorted(rounds, reverse=bool(turn % 2))
        for number in (one for one in order if one not in faults):
            try:
                seen = echoes[number].round(ROUND_S if turn >= 0 else _WARM_S)
            except OSError as error:
                faults[number] = f"it stopped answering: {error}"
            else:
                rounds[number] += [seen] if turn >= 0 else []
    for number, echo in enumerate(echoes):
        p50, p99, cpu = zip(*rounds[number], strict=True) if rounds[number] else ((), (), ())
        known = {"p50_ns": p50, "p99_ns": p99, "cpu_us": cpu if None not in cpu else (), "why_not": ""}
        yield echo.path.model_copy(update={"why_not": faults[number]} if number in faults else known)
