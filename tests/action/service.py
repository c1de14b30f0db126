"""As much of GitHub's interface as the action asks: comments of a pull request, artifacts, and a store elsewhere."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


class Service:
    """What is kept.

    Attributes:
        comments: of pull request 7.
        artifacts: as they are listed.
        packed: bytes of each artifact's archive, by its id.
        refuses: whether comments may not be written.
        leaked: tokens that the store elsewhere was shown.
        url: of the interface.
    """

    def __init__(self) -> None:
        """Keep nothing yet."""
        self.comments: list[dict[str, Any]] = []
        self.artifacts: list[dict[str, Any]] = []
        self.packed: dict[str, bytes] = {}
        self.refuses = False
        self.leaked: list[str] = []
        self.url = ""

    def answer(self, method: str, target: str, body: Any, token: str | None) -> tuple[int, Any]:  # noqa: PLR0911
        """Return status and what is answered."""
        parts = urlsplit(target)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path.startswith("/elsewhere/"):
            self.leaked += [token] if token else []
            return 200, self.packed[parts.path.rpartition("/")[2]]
        if token != "Bearer a-token":
            return 401, {"message": "Bad credentials"}
        if method == "GET" and parts.path == "/repos/we/ours/issues/7/comments":
            first = (int(query["page"]) - 1) * int(query["per_page"])
            return 200, self.comments[first : first + int(query["per_page"])]
        if self.refuses and method != "GET":
            return 403, {"message": "Resource not accessible by integration"}
        if method == "POST" and parts.path == "/repos/we/ours/issues/7/comments":
            self.comments.append(made(len(self.comments) + 1, body["body"]))
            return 201, self.comments[-1]
        if method == "PATCH" and parts.path.startswith("/repos/we/ours/issues/comments/"):
            [one] = [one for one in self.comments if str(one["id"]) == parts.path.rpartition("/")[2]]
            one["body"] = body["body"]
            return 200, one
        if parts.path == "/repos/we/ours/actions/artifacts":
            return 200, {"artifacts": [one for one in self.artifacts if one["name"] == query["name"]]}
        if parts.path.endswith("/zip"):
            return 302, f"{self.url}/elsewhere/{parts.path.split('/')[-2]}"
        return 404, {"message": "Not Found"}


def made(number: int, body: str, login: str = "github-actions[bot]") -> dict[str, Any]:
    """Return a comment."""
    return {"id": number, "body": body, "user": {"login": login}}


@contextmanager
def served() -> Iterator[Service]:
    """Serve on loopback."""
    service = Service()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, found = service.answer(
                self.command, self.path, json.loads(body) if body else None, self.headers.get("Authorization")
            )
            self.send_response(status)
            if status == 302:
                self.send_header("Location", found)
                found = {}
            text = found if isinstance(found, bytes) else json.dumps(found).encode()
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_PATCH = _answer  # noqa: N815  (the library's names)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (as above)
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    service.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield service
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
