"""Measuring the ceiling of a driver: the null peer in one process, the driver in another."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

from bench.ceiling.stored import Ceiling, Side, Way, host_name, version
from bench.drivers.registry import Installed

SIZE = 100
"""Bytes of a body: small ones cost a driver most a byte."""
WAYS: tuple[tuple[Side, bool], ...] = (("send", False), ("send", True), ("receive", False), ("receive", True))
_TIMEOUT_S = 120


class PeerFailed(Exception):  # noqa: N818  (what happened)
    """The null peer or the driver against it ended badly; the message has its last words."""


def measure(installed: Installed, seconds: float = 1.0) -> Ceiling:
    """Return a driver's ceiling, all four ways.

    Raises:
        PeerFailed: the driver or the peer ended badly.
    """
    driver = installed.member
    ways = tuple(measure_way(driver.name, driver.protocol, *way, seconds=seconds) for way in WAYS)
    return Ceiling(
        driver=driver.name,
        version=version(installed),
        host=host_name(),
        measured_utc=datetime.now(UTC).isoformat(timespec="seconds"),
        size=SIZE,
        ways=ways,
    )


def measure_way(driver: str, protocol: str, side: Side, settled: bool, *, seconds: float, size: int = SIZE) -> Way:  # noqa: FBT001
    """Return one way of a driver's ceiling; see `measure`."""
    with peer(protocol, size=size) as port:
        words = [driver, side, str(port), "--seconds", str(seconds), "--size", str(size)]
        command = [sys.executable, "-m", "bench.ceiling.client", *words, *(["--settled"] if settled else [])]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False, env=environment()
            )
        except subprocess.TimeoutExpired as error:
            message = f"{driver} ({side}) did not end within {_TIMEOUT_S} s"
            raise PeerFailed(message) from error
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it left no word"])[-1]
        message = f"{driver} ({side}): {last}"
        raise PeerFailed(message)
    return Way.model_validate_json(done.stdout)


@contextmanager
def peer(protocol: str, *, port: int = 0, connections: int = 64, lanes: int = 1, size: int = SIZE) -> Iterator[int]:
    """Run a null peer; yield its port, which is a free one where none is given.

    Raises:
        PeerFailed: it does not start.
    """
    counts = ["--connections", str(connections), "--lanes", str(lanes)]
    words = [protocol, *counts, "--size", str(size), "--port", str(port)]
    with _served("bench.ceiling.null_peer", words, "the null peer") as found:
        yield found


@contextmanager
def relay(port: int = 0, *, memory_mib: int = 64, product: str = "busbench relay") -> Iterator[int]:
    """Run a relay, which speaks both protocols; yield its port.

    Args:
        port: where it listens; 0 = a free one.
        memory_mib: what its queues hold at most.
        product: how it names itself.

    Raises:
        PeerFailed: it does not start.
    """
    words = ["--port", str(port), "--memory", str(memory_mib), "--product", product]
    with _served("bench.ceiling.relay", words, "the relay") as found:
        yield found


@contextmanager
def _served(module: str, words: list[str], name: str) -> Iterator[int]:
    """Run a program that prints its port and ends with its standard input; yield the port."""
    with piped([sys.executable, "-m", module, *words], stderr=subprocess.PIPE) as process:
        assert process.stdout is not None  # noqa: S101  (for the type checker: pipes)
        assert process.stderr is not None  # noqa: S101
        line = process.stdout.readline()
        if not line:
            message = f"{name} did not start: {process.stderr.read().strip()[-300:]}"
            raise PeerFailed(message)
        yield int(line)


@contextmanager
def piped(command: list[str], stderr: int | None = None) -> Iterator["subprocess.Popen[str]"]:
    """Run a program that is spoken to by pipes and ends with its standard input; one that does not is killed.

    Args:
        command: the program and its words.
        stderr: as of `subprocess.Popen`.
    """
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        start_new_session=True,
        env=environment(),
    )
    assert process.stdin is not None  # noqa: S101  (for the type checker: pipes)
    try:
        yield process
    finally:
        with suppress(BrokenPipeError):  # it ended, and what was said last is still to be written
            process.stdin.close()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


def environment() -> dict[str, str]:
    """Return what a child needs to import what we do."""
    return os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
