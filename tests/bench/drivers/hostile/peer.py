"""What brokers that misbehave have in common, whatever they speak: they listen, talk in threads, and hang up."""

import socket
import threading
from abc import ABC, abstractmethod
from contextlib import suppress


class Talking(ABC):
    """One connection, which talks in a thread of its own from `begin` on.

    Attributes:
        socket: connected to the client.
    """

    def __init__(self, client: socket.socket) -> None:
        """Take a client; nothing is said yet."""
        self.socket = client
        self._sending = threading.Lock()
        self._thread = threading.Thread(target=self._run)

    def begin(self) -> None:
        """Talk from now on."""
        self._thread.start()

    def send(self, octets: bytes) -> None:
        """Send octets whole."""
        with self._sending:
            self.socket.sendall(octets)

    def end(self) -> None:
        """Hang up."""
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)
        self.socket.close()

    @abstractmethod
    def _run(self) -> None:
        """Hear and answer until one of both hangs up."""


class Listening(ABC):
    """A broker at a port of this host.

    Attributes:
        over: set once it stops.
        port: where it listens.
    """

    def __init__(self) -> None:
        """Open the port; nobody is taken before `begin`."""
        self.over = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._talks: list[Talking] = []
        self._thread = threading.Thread(target=self._accept)

    def begin(self) -> None:
        """Take clients from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Hang up on everyone."""
        self.over.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)
        for talk in self._talks:
            talk.end()

    @abstractmethod
    def _talk_with(self, client: socket.socket) -> Talking:
        """Return the conversation with a client."""

    def _accept(self) -> None:
        with suppress(OSError):
            while not self.over.is_set():
                client, _ = self._listener.accept()
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                talk = self._talk_with(client)
                self._talks.append(talk)
                talk.begin()
