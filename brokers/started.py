"""A broker that we start: its folder, its processes, its readiness, its end.

What to write and run is the business of each broker's own module; how processes are
isolated, that of its place.
"""

import dataclasses
import shutil
import signal
import time
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from brokers import certificates, limits, ports
from brokers.amqp import AmqpBroker, with_security
from brokers.base import BrokerError, Facts
from brokers.control import Control, ControlError, SilentError, answers_amqp10
from brokers.dialect import Address, Dialect
from brokers.places.base import Launch, Place, Running
from brokers.settings import BrokerSettings

START_TIMEOUT_S = 90.0
STOP_TIMEOUT_S = 8.0
POLL_S = 0.05
LOG_TAIL = 1024**2
QUOTED_LINES = 12


@dataclass(frozen=True)
class Program:
    """What a broker's module asks to be written and run.

    Attributes:
        files: text of each file, by path below the broker's folder.
        folders: further folders to make below it.
        argv: command and arguments, in paths of the place.
        environment: every environment variable.
        main: name of the process that takes signals.
    """

    files: Mapping[str, str]
    folders: tuple[str, ...]
    argv: tuple[str, ...]
    environment: Mapping[str, str]
    main: str


class StartedBroker(AmqpBroker):
    """A broker whose processes are ours."""

    def __init__(
        self,
        settings: BrokerSettings,
        dialect: Dialect,
        folder: Path,
        place: Place,
        fixed_ports: ports.Ports | None = None,
    ) -> None:
        """Describe a broker that is not started yet.

        Args:
            settings: what is wanted of it.
            dialect: how it is spoken to.
            folder: its own folder; `start` empties it.
            place: where its processes run.
            fixed_ports: its ports; free ones are found at each start where this is None.
        """
        super().__init__(settings.name, dialect)
        self.folder = folder.absolute()
        self._settings = settings
        self._place = place
        self._fixed_ports = fixed_ports
        self._running: Running | None = None
        self._limits = limits.Limits()
        self._facts: Facts | None = None
        self._silence = ""
        """What it did not answer, from then on: it is not asked again, since each question would wait as long."""

    # What each broker's module fills in.

    @abstractmethod
    def _program(self, at: ports.Ports, home: PurePosixPath) -> Program:
        """Return what to write and run."""

    @abstractmethod
    def _says_ready(self, log: str) -> bool:
        """Return whether its log says that the start is complete, well or not."""

    @abstractmethod
    def _says_failed(self, log: str) -> bool:
        """Return whether the start is complete without all that was asked."""

    @abstractmethod
    def _reasons(self, log: str) -> list[str]:
        """Return the lines of a log that tell why a start failed."""

    @abstractmethod
    def _observe(self, at: ports.Ports, control: Control) -> Facts:
        """Return the facts of the broker that has just become ready (limits left out)."""

    # The contract.

    def start(self) -> None:
        """See `Broker`; the folder is emptied first, so every start is on an empty store."""
        if self._running is not None and self._running.exit_code() is None:
            message = f"broker {self.name!r} runs already: stop it first"
            raise BrokerError(message)
        self._release()
        at = self._fixed_ports or ports.free_ports()
        program = self._program(at, self._place.home(self.folder))
        self._write(program)
        self._limits = limits.impose(int(self._settings.memory), self._settings.cpus)
        try:
            launch = Launch(program.argv, program.environment, self.folder, self._output, program.main)
            self._running = self._place.start(launch, self._limits)
            control = self._await_ready(self._running, at)
            self._attach(self._own_address(at), control)
            facts = with_security(self._observe(at, control), self._own_address(at), control)
        except OSError as error:
            self._release()
            message = f"broker {self.name!r} cannot be started: {error}"
            raise BrokerError(message) from error
        except BaseException:
            self._release()
            raise
        self._facts = dataclasses.replace(facts, limits=dict(self._limits.facts))

    def facts(self) -> Facts:
        """See `Broker`."""
        if self._facts is None:
            message = f"broker {self.name!r} was never started: start it first"
            raise BrokerError(message)
        return self._facts

    def pids(self) -> tuple[int, ...]:
        """See `Broker`."""
        return self._running.pids() if self._running is not None else ()

    def failure(self) -> str | None:
        """See `Broker`."""
        if self._running is None:
            return None if self._facts is None else "it was stopped"
        code = self._running.exit_code()
        if code is not None:
            return f"it {_ending(code)}{self._why(last=True)}"
        return f"{self._silence}, though its processes are there{self._why(last=True)}" if self._silence else None

    def log(self) -> str:
        """See `Broker`."""
        try:
            with self._output.open("rb") as file:
                size = file.seek(0, 2)
                file.seek(max(0, size - LOG_TAIL))
                return file.read().decode(errors="replace")
        except FileNotFoundError:
            return ""

    def stop(self) -> None:
        """See `Broker`; one that hangs is ended all the same, after its time to stop by itself."""
        self._detach()
        try:
            if self._running is not None:
                self._running.signal(signal.SIGTERM)
                self._running.signal(signal.SIGCONT)  # a stopped process takes no other signal until it goes on
                self._running.wait(STOP_TIMEOUT_S)
        finally:
            self._release()

    def kill(self) -> None:
        """See `Broker`."""
        self._release()

    # How.

    def _attached(self) -> tuple[Address, Control]:
        if self._silence:
            message = f"broker {self.name!r} is not asked any more: {self.failure()}"
            raise BrokerError(message)
        return super()._attached()

    def _reason(self, error: ControlError) -> str:
        if isinstance(error, SilentError):
            self._silence = str(error)
        return super()._reason(error)

    @property
    def _output(self) -> Path:
        return self.folder / "console.log"

    def _own_address(self, at: ports.Ports) -> Address:
        sasl = self._settings.sasl
        return Address(
            host=ports.LOOPBACK,
            port=at.amqp,
            virtual_host=self._dialect.virtual_host,
            # The account that both brokers are given; it is reachable from this host alone.
            username="guest" if sasl == "plain" else "",
            password="guest" if sasl == "plain" else "",
            tls=certificates.towards(self.folder, sasl) if self._settings.transport == "tls" else None,
            sasl=sasl,
        )

    def _write(self, program: Program) -> None:
        """Make the folder anew, with what the program needs."""
        try:
            if self.folder.exists():
                shutil.rmtree(self.folder)
            for name in ("", *program.folders):
                (self.folder / name).mkdir(parents=True)
            for name, text in program.files.items():
                (self.folder / name).write_text(text)
            if self._settings.transport == "tls":
                (self.folder / certificates.FOLDER).mkdir()
                certificates.make(self.folder / certificates.FOLDER)
        except OSError as error:
            message = f"broker {self.name!r}: its folder cannot be prepared: {error}"
            raise BrokerError(message) from error

    def _await_ready(self, running: Running, at: ports.Ports) -> Control:
        """Return an open control connection once every protocol answers."""
        control = Control(self._own_address(at))
        deadline = time.monotonic() + START_TIMEOUT_S
        why = "it did not say that it is ready"
        while time.monotonic() < deadline:
            ended = running.wait(POLL_S)
            log = self.log()
            if ended or self._says_failed(log):
                break
            if not self._says_ready(log):
                continue
            try:
                control.open()
            except ControlError as error:
                why = f"no AMQP 0-9-1 handshake on its virtual host {self._dialect.virtual_host!r}: {error}"
                continue
            if answers_amqp10(self._own_address(at)):
                return control
            control.drop()
            why = "its port does not answer AMQP 1.0"
        code = running.exit_code()
        if code is not None:
            why = f"it {_ending(code)}"
        elif self._says_failed(self.log()):
            why = "it runs without all that was asked of it"
        message = f"broker {self.name!r} failed to start: {why}{self._why(last=False)}"
        raise BrokerError(message)

    def _why(self, *, last: bool) -> str:
        """Return the reason from kernel and log, as the end of a sentence.

        Args:
            last: quote the last lines that tell a reason, else the first.
        """
        if self._limits.out_of_memory():
            cap = int(self._settings.memory) // 1024**2
            return f"; the kernel ended it at its memory cap of {cap} MiB: raise `memory` of broker {self.name!r}"
        log = self.log()
        lines = self._reasons(log)
        if not lines:
            lines, last = [line for line in log.splitlines() if line.strip()], True
        quoted = lines[-QUOTED_LINES:] if last else lines[:QUOTED_LINES]
        return ". Its log says:\n  " + "\n  ".join(quoted) if quoted else ", and its log is empty"

    def _release(self) -> None:
        """Drop the connection, end what is left, remove the control groups."""
        self._detach()
        self._silence = ""
        if self._running is not None:
            self._running.end()
            self._running = None
        self._limits.remove()
        self._limits = limits.Limits()


def _ending(code: int) -> str:
    """Return how a process ended, from its exit code."""
    if code <= 128:  # noqa: PLR2004  (128 + n: ended by signal n)
        return f"ended with exit code {code}"
    return f"was ended by signal {code - 128}"
