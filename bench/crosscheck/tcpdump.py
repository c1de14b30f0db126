"""A packet capture of one port of the loopback interface, by tcpdump, with times in ns."""

import re
import shutil
import signal
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from bench.host import child_process

_MOST_PACKETS = 2_000_000
_BUFFER_KIB = 65_536
_START_S = 5.0
_STOP_S = 10.0
_DROPPED = re.compile(r"^(\d+) packets dropped by kernel", re.MULTILINE)


class SniffError(Exception):
    """No capture can be taken here; says why and what to do."""


class Sniffer:
    """Takes one capture; within a `with` block nothing of it is left running."""

    def __init__(self, port: int, folder: Path) -> None:
        """Describe a capture of a port, with its files in a folder; nothing is started."""
        self._port = port
        self._file, self._words = folder / "capture.pcap", folder / "capture.log"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Begin with nothing."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it at once, and delete what it took."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._file.unlink(missing_ok=True)

    @property
    def begun(self) -> bool:
        """Whether it was started."""
        return self._process is not None

    def begin(self) -> None:
        """Start to capture; returns at once.

        Raises:
            SniffError: tcpdump is missing or cannot be started.
        """
        if shutil.which("tcpdump") is None:
            message = "--capture needs tcpdump: apt-get install tcpdump"
            raise SniffError(message)
        # Written through a descriptor of ours: tcpdump gives up its rights before it opens files.
        with self._file.open("wb") as file, self._words.open("wb") as words:
            self._process = child_process.start(
                ("tcpdump", "--interface=lo", "--time-stamp-precision=nano", f"--buffer-size={_BUFFER_KIB}",
                 "--snapshot-length=0", "-n", "-c", str(_MOST_PACKETS), "-w", "-", "tcp", "port", str(self._port)),
                stdout=file,
                stderr=words,
            )  # fmt: skip

    def await_begin(self) -> None:
        """Return once it listens.

        Raises:
            SniffError: it may not, or does not within some seconds.
        """
        assert self._process is not None  # noqa: S101  (for the type checker: it was begun)
        until = time.monotonic() + _START_S
        while b"listening on" not in self._words.read_bytes():
            if self._process.poll() is not None or time.monotonic() > until:
                raise SniffError(self._refusal())
            time.sleep(0.02)

    def end(self) -> tuple[bytes, int]:
        """Stop; return the capture, and the packets that the kernel could not hand over.

        Raises:
            SniffError: it failed.
        """
        assert self._process is not None  # noqa: S101
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired as error:
            raise SniffError(self._refusal()) from error
        dropped = _DROPPED.search(self._words.read_text(errors="replace"))
        if self._process.returncode != 0 or dropped is None:
            raise SniffError(self._refusal())
        return self._file.read_bytes(), int(dropped[1])

    def _refusal(self) -> str:
        said = " ".join(self._words.read_text(errors="replace").split()) or "nothing"
        return (
            "--capture cannot listen on the loopback interface: run as root, or give tcpdump the right to:"
            f" setcap cap_net_raw+ep {shutil.which('tcpdump')}. It said: {said}"
        )


def check(folder: Path) -> None:
    """Look whether captures can be taken, by taking one.

    Raises:
        SniffError: they cannot.
    """
    with Sniffer(1, folder) as sniffer:
        sniffer.begin()
        sniffer.await_begin()
        sniffer.end()
