"""What a driver says of itself. Light on purpose: a description is loaded to be listed, long before a port is opened.

Every driver has one, ours as well as those of other packages; `bench.drivers.registry`
finds them. Nothing here imports a client library, and no module that holds a description
may.
"""

from dataclasses import dataclass
from importlib import metadata
from typing import Literal

Protocol = Literal["amqp091", "amqp10", "memory"]
Shape = Literal["route", "properties", "body", "compact", "consuming", "requests"]
"""What not every driver does with messages: fields of `bench.drivers.base.PortSpec`. A driver of `requests` answers
them too: its port is a `bench.drivers.base.ReplyingPort`."""


@dataclass(frozen=True)
class Driver:
    """A driver, as its entry point gives it.

    Attributes:
        name: as scenarios write it; also the name of the entry point.
        protocol: what it speaks.
        description: one line for `bench drivers`: the client, and what bounds it.
        open_port: where its `bench.drivers.base.Opener` is, as `module:function`. The module
            is imported when a port is opened, so it may import the client library.
        warm: what compiles or loads its compiled code, as `module:function`, called without
            arguments; None where there is none. It is called once before workers start, so
            that they find it in the cache.
        distribution: the package whose version says what was measured with; None where
            there is no client library.
        install: what to install where that package is missing, as pip takes it.
        multiplexes: lanes may share a connection (`PortSpec.lanes_per_connection`).
        mixes: sends bodies of several sizes, as `PortSpec.mix` says.
        plans: its port is a `bench.drivers.base.PlanningPort`: it can be handed messages ahead of their times.
        kernel_times: its port is a `bench.drivers.base.TimedPort`: over plain TCP it takes the kernel's time of what
            comes.
        shapes: what it does of what few workloads ask for.
        holds: its port is a `bench.drivers.base.HoldingPort`: its consumers can be kept waiting while the rest goes on.
        options: names and meanings of the options it understands (`PortSpec.options`).
        inline: it runs in the conductor's process, on virtual time, and opens no port.
        now: its present name, where this is a former one; both work.
    """

    name: str
    protocol: Protocol
    description: str
    open_port: str | None = None
    warm: str | None = None
    distribution: str | None = None
    install: str | None = None
    multiplexes: bool = False
    mixes: bool = False
    plans: bool = False
    kernel_times: bool = False
    holds: bool = False
    shapes: tuple[Shape, ...] = ()
    options: tuple[tuple[str, str], ...] = ()
    inline: bool = False
    now: str | None = None

    def client_version(self) -> str | None:
        """Return name and version of the client library, such as `pika 1.4.4`; None where there is none.

        Raises:
            importlib.metadata.PackageNotFoundError: it is not installed.
        """
        return f"{self.distribution} {metadata.version(self.distribution)}" if self.distribution else None

    def lacks(self) -> str | None:
        """Return what is not installed and how to get it; None where nothing is missing."""
        try:
            self.client_version()
        except metadata.PackageNotFoundError:
            return f"{self.distribution} is not installed: pip install '{self.install or self.distribution}'"
        return None
