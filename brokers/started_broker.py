"""A broker that we start: its folder, its program, its readiness, its end.

What to write and run is the business of its product; how a program is isolated, limited
and sampled, that of its place.
"""

import contextlib
import dataclasses
import os
import secrets
import shutil
import signal
import time
from collections.abc import Mapping
from pathlib import Path

from brokers import certificates
from brokers.admin.base import Address, Admin, AdminError, SilentError
from brokers.admin.handshake import answers
from brokers.administered_broker import AdministeredBroker, with_security
from brokers.base import BrokerError
from brokers.byte_sizes import size_words
from brokers.cpu_numbers import words
from brokers.endpoint import PROTOCOL_NAMES
from brokers.ground import CPUS, EMULATED, VIRTUALISATION
from brokers.places.base import Caps, Launch, Opening, Running, StartingPlace
from brokers.places.in_force import in_force
from brokers.places.sampling import ProcessUsage, allocated_bytes
from brokers.product import USER, Facts, Inquiry, Program, Site
from brokers.regular_file import open_regular

START_TIMEOUT_S = 90.0
STOP_TIMEOUT_S = 8.0
INQUIRY_TIMEOUT_S = 10.0
POLL_S = 0.05
LOG_TAIL = 1024**2
QUOTED_LINES = 12
_FIRST = "busbench-first"
"""The queue of a broker's first message."""


class StartedBroker(AdministeredBroker):
    """A broker whose processes are ours."""

    def __init__(self, given: Opening, place: StartingPlace, fixed_ports: Mapping[str, int] | None = None) -> None:
        """Describe a broker that is not started yet.

        Args:
            given: what it is made of.
            place: where its processes run.
            fixed_ports: its ports by name; free ones are found at each start where this is None.
        """
        super().__init__(given.product, given.settings)
        self.folder = given.folder.absolute()
        self._place = place
        self._fixed_ports = fixed_ports
        self._ports: Mapping[str, int] = {}
        self._running: Running | None = None
        self._facts: Facts | None = None
        self._password = ""
        self._silence = ""
        """What it did not answer, from then on: it is not asked again, since each question would wait as long."""

    # The contract.

    def start(self) -> None:
        """See `Broker`; the folder is emptied first, so every start is on an empty store."""
        if self._running is not None and self._running.exit_code() is None:
            message = f"broker {self.name!r} runs already: stop it first"
            raise BrokerError(message)
        self._release()
        try:
            self._place.prepare(self.folder)
            self._ports = self._fixed_ports or self._place.free_ports(self._product.ports)
            self._password = secrets.token_hex(16)
            home = self._place.home(self.folder)
            site = Site(home, self._place.listens, self._ports, self._place.newest, self._password)
            program = self._wanted(site)
            self._write(program)
            launch = Launch(program.argv, program.environment, self.folder, self._output, program.main)
            begun_s = time.monotonic()
            caps = Caps(int(self._settings.memory), self._settings.cpu_count, self._settings.pinned)
            self._running = self._place.start(launch, caps)
            at = self._own_address()
            admin = self._await_ready(self._running)
            ready_s = time.monotonic() - begun_s
            first_confirm_s = time.monotonic() - begun_s if self._confirms(admin) else None
            ground = self._ground(self._running)
            self._attach(at, admin)
            asked = self._product.observe(self._settings, Inquiry(site, at, admin, self.log, self._run_beside))
            facts = with_security(asked, at, admin)
        except AdminError as error:
            reason = self._reason(error)
            self._release()
            message = f"broker {self.name!r} does not tell its facts: {reason}"
            raise BrokerError(message) from error
        except OSError as error:
            self._release()
            message = f"broker {self.name!r} cannot be started: {error}"
            raise BrokerError(message) from error
        except BaseException:
            self._release()
            raise
        self._facts = dataclasses.replace(
            facts,
            limits=dict(self._running.limits),
            ground=ground,
            labels=(*facts.labels, *([EMULATED] if ground[VIRTUALISATION].startswith(EMULATED) else [])),
            ready_s=ready_s,
            first_confirm_s=first_confirm_s,
        )

    def facts(self) -> Facts:
        """See `Broker`."""
        if self._facts is None:
            message = f"broker {self.name!r} was never started: start it first"
            raise BrokerError(message)
        return self._facts

    def pids(self) -> tuple[int, ...]:
        """See `Broker`."""
        return self._running.pids() if self._running is not None else ()

    def usage(self) -> ProcessUsage | None:
        """See `Broker`."""
        return None if self._running is None else self._running.usage()

    def switches(self) -> tuple[int, int] | None:
        """See `Broker`."""
        return None if self._running is None else self._running.switches()

    def data_bytes(self) -> int | None:
        """See `Broker`."""
        return None if self._running is None or not self._running.pids() else allocated_bytes(self.folder)

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
            with os.fdopen(open_regular(self._output), "rb") as file:
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

    def _attached(self) -> tuple[Address, Admin]:
        if self._silence:
            message = f"broker {self.name!r} is not asked any more: {self.failure()}"
            raise BrokerError(message)
        return super()._attached()

    def _reason(self, error: AdminError) -> str:
        if isinstance(error, SilentError):
            self._silence = str(error)
        return super()._reason(error)

    def _confirms(self, admin: Admin) -> bool:
        """Return whether a first message was confirmed; it, and its queue, are gone again."""
        try:
            admin.declare(_FIRST, self._product.queue(self._settings, durable=False).kind)
            admin.confirm_one(_FIRST)
        except AdminError:  # of a queue that is refused the trials tell
            return False
        with contextlib.suppress(AdminError):
            admin.delete(_FIRST)
        return True

    def _ground(self, running: Running) -> dict[str, str]:
        """Return what surrounds it and which limits are in force.

        Raises:
            OSError: it is not kept to the CPUs that it is pinned to.
        """
        found = self._place.ground(self.folder) | in_force(running.pids())
        pinned = words(self._settings.pinned)
        if pinned and found.get(CPUS, pinned) != pinned:
            message = f"it is pinned to CPU {pinned}, and the kernel lets it run on {found[CPUS]}"
            raise OSError(message)
        return found

    def _port(self, name: str) -> int:
        return self._ports[name]

    @property
    def _output(self) -> Path:
        return self.folder / "console.log"

    def _own_address(self, port: str | None = None) -> Address:
        """Return where one of its ports is reached; by default that of its first listener."""
        sasl, first = self._settings.sasl, self._product.listeners(self._settings)[0]
        return Address(
            host=self._place.host,
            port=self._ports[port or first.port],
            virtual_host=first.virtual_host,
            username=USER if sasl == "plain" else "",
            password=self._password if sasl == "plain" else "",
            tls=certificates.towards(self.folder, sasl) if self._settings.transport == "tls" else None,
            sasl=sasl,
            ports=self._ports,
        )

    def _run_beside(self, argv: tuple[str, ...], environment: Mapping[str, str]) -> str:
        """Run a command in the broker's place and return what it printed."""
        output = self.folder / "inquiry.log"
        asking = self._place.start(Launch(argv, environment, self.folder, output, main=""), None)
        try:
            asking.wait(INQUIRY_TIMEOUT_S)
        finally:
            asking.end()
        with os.fdopen(open_regular(output), encoding="utf-8", errors="replace") as file:
            return file.read(LOG_TAIL)

    def _wanted(self, site: Site) -> Program:
        try:
            return self._product.program(self._settings, site)
        except FileNotFoundError as error:
            message = (
                f"broker {self.name!r}: there is no {self._product.title} to start ({error}):"
                " build another recipe of the image, see `bench image --help`"
            )
            raise BrokerError(message) from error

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

    def _await_ready(self, running: Running) -> Admin:
        """Return a connected admin once every protocol answers."""
        at = self._own_address()
        admin = self._product.admin(self._settings, at)
        first, *others = self._product.listeners(self._settings)
        deadline = time.monotonic() + START_TIMEOUT_S
        why = "it did not say that it is ready"
        while time.monotonic() < deadline:
            ended = running.wait(POLL_S)
            log = self.log()
            if ended or self.patterns.says_failed(log):
                break
            if not self.patterns.says_ready(log):
                continue
            try:
                admin.open()
            except AdminError as error:
                why = f"no {PROTOCOL_NAMES[first.protocol]} handshake on its virtual host {at.virtual_host!r}: {error}"
                continue
            silent = [one for one in others if not answers(one.protocol, self._own_address(one.port))]
            if not silent:
                return admin
            admin.drop()
            why = f"its port does not answer {PROTOCOL_NAMES[silent[0].protocol]}"
        code = running.exit_code()
        if code is not None:
            why = f"it {_ending(code)}"
        elif self.patterns.says_failed(self.log()):
            why = "it runs without all that was asked of it"
        message = f"broker {self.name!r} failed to start: {why}{self._why(last=False)}"
        raise BrokerError(message)

    def _why(self, *, last: bool) -> str:
        """Return the reason from kernel and log, as the end of a sentence.

        Args:
            last: quote the last lines that tell a reason, else the first.
        """
        if self._running is not None and self._running.out_of_memory():
            cap = size_words(self._settings.memory)
            return f"; the kernel ended it at its memory cap of {cap}: raise `memory` of broker {self.name!r}"
        log = self.log()
        lines = self.patterns.why(log)
        if not lines:
            lines, last = [line for line in log.splitlines() if line.strip()], True
        quoted = lines[-QUOTED_LINES:] if last else lines[:QUOTED_LINES]
        return ". Its log says:\n  " + "\n  ".join(quoted) if quoted else ", and its log is empty"

    def _release(self) -> None:
        """Drop the connection and end what is left."""
        self._detach()
        self._silence = ""
        if self._running is not None:
            self._running.end()
            self._running = None
        self._place.clear()


def _ending(code: int) -> str:
    """Return how a process ended, from its exit code."""
    if code <= 128:  # noqa: PLR2004  (128 + n: ended by signal n)
        return f"ended with exit code {code}"
    return f"was ended by signal {code - 128}"
