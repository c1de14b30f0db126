"""One run of a peer: a JVM that is started, read and sampled, and always ended."""

import contextlib
import os
import selectors
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.crosscheck.peer import Job, Peer, PeerError, PeerOutput
from bench.host import child_process
from bench.run.telemetry import Sample, Sampler
from bench.units import NS_PER_S, TICK_NS
from brokers.base import Broker

_START_AND_END_S = 60.0
_CHUNK = 65_536
_QUOTED = 8


@dataclass(frozen=True)
class Ran:
    """What a run of a peer left: its words, and what broker and JVM used meanwhile."""

    said: PeerOutput
    samples: Sequence[Sample]


def run_peer(
    peer: Peer, folder: Path, job: Job, broker: Broker, watch: Callable[[bool], None] = lambda _measuring: None
) -> Ran:
    """Run a peer to its end.

    Args:
        peer: which.
        folder: where it lies.
        job: what it is to do.
        broker: the one it works on; sampled as well.
        watch: called some times a second with whether the measured part has begun.

    Raises:
        PeerError: it could not be started, failed, did not end, or the broker died.
    """
    report = Path(job.report)
    report.unlink(missing_ok=True)
    epoch_ns = time.time_ns() - time.monotonic_ns()
    # The arguments hold a password, so they are read from memory that no other user sees.
    fd = os.memfd_create("arguments")
    try:
        os.write(fd, argument_file(peer.java(str(folder), job)).encode())
        process = child_process.start(
            ("java", f"@/dev/fd/{fd}"),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=(fd,),
            folder=report.parent,
        )
    except OSError as error:
        message = f"{peer.name} could not be started: {error}"
        raise PeerError(message) from error
    finally:
        os.close(fd)
    course = _Listener(peer, job, broker, process, watch)
    try:
        lines = course.follow()
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
    text = report.read_text(encoding="utf-8") if report.exists() else ""
    return Ran(PeerOutput(lines, text, epoch_ns), course.sampler.samples)


def argument_file(words: Sequence[str]) -> str:
    """Return words as an argument file of the `java` launcher: one a line, quoted. Pure."""
    return "".join('"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"\n' for word in words)


class _Listener:
    """Listens to a peer until it ends."""

    def __init__(
        self, peer: Peer, job: Job, broker: Broker, process: "subprocess.Popen[bytes]", watch: Callable[[bool], None]
    ) -> None:
        self._peer = peer
        self._job = job
        self._broker = broker
        self._process = process
        self._watch = watch
        self._lines: list[tuple[int, str]] = []
        self._rest = b""
        self._measuring = False
        self.sampler = Sampler()

    def follow(self) -> list[tuple[int, str]]:
        """Return its lines once it has ended well."""
        assert self._process.stdout is not None  # noqa: S101  (for the type checker: it is a pipe)
        output = self._process.stdout.fileno()
        limit_s = self._peer.seconds(self._job.measure_s, self._job.warm_up_s) + _START_AND_END_S
        deadline = time.monotonic() + limit_s
        with selectors.DefaultSelector() as selector, contextlib.closing(self.sampler):
            selector.register(output, selectors.EVENT_READ)
            next_sample_ns = 0
            while True:
                now_ns = time.monotonic_ns()
                if now_ns >= next_sample_ns:
                    self._sample(now_ns)
                    next_sample_ns = now_ns - now_ns % TICK_NS + TICK_NS
                if now_ns / NS_PER_S > deadline:
                    self._fail(f"did not end within {limit_s:.0f} s")
                if selector.select((next_sample_ns - now_ns) / NS_PER_S) and not self._hear(output):
                    break
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(max(0.0, deadline - time.monotonic()))
        if self._process.poll() != 0:
            self._fail(f"ended with exit code {self._process.poll()}")
        return self._lines

    def _sample(self, now_ns: int) -> None:
        self.sampler.sample(now_ns, self._broker.usage(), (self._process.pid,))
        failure = self._broker.failure()
        if failure is not None:
            message = f"the broker failed under {self._peer.name}: {failure}"
            raise PeerError(message)
        self._watch(self._measuring)

    def _hear(self, output: int) -> bool:
        """Take what it has printed; return False at its end."""
        chunk = os.read(output, _CHUNK)
        at_ns = time.monotonic_ns()
        *whole, self._rest = (self._rest + chunk).split(b"\n")
        for raw in whole:
            line = raw.decode(errors="replace").rstrip()
            self._lines.append((at_ns, line))
            self._measuring = self._measuring or self._peer.measuring(line, self._job)
        return bool(chunk)

    def _fail(self, how: str) -> None:
        last = "\n  ".join(line for _, line in self._lines[-_QUOTED:]) or "nothing"
        message = f"{self._peer.name} {how}. It said:\n  {last}"
        raise PeerError(message)
