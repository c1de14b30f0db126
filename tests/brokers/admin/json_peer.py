"""A management interface in this process: it answers HTTP with what a test says."""

import contextlib
import http.server
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass
class JsonPeer:
    """What came in and what goes out.

    Attributes:
        answer: gets what was asked (None of a GET), and returns the octets of the answer.
        status: of HTTP.
        asked: method, path, authorization and body of each request.
        port: where it listens.
    """

    answer: Callable[[Any], bytes]
    status: int = 200
    asked: list[tuple[str, str, str, Any]] = field(default_factory=list)
    port: int = 0


@contextlib.contextmanager
def json_peer(answer: Callable[[Any], bytes], status: int = 200) -> Iterator[JsonPeer]:
    """Yield a peer that serves on loopback until the end of the block."""
    peer = JsonPeer(answer, status)

    class _Handler(http.server.BaseHTTPRequestHandler):
        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            asked = json.loads(body) if body else None
            peer.asked.append((self.command, self.path, self.headers.get("Authorization", ""), asked))
            text = peer.answer(asked)
            self.send_response(peer.status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            with contextlib.suppress(ConnectionError):  # who had enough hangs up
                self.wfile.write(text)

        do_GET = do_POST = _serve  # noqa: N815  (names of http.server)

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        peer.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield peer
        finally:
            server.shutdown()
            thread.join()
