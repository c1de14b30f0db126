"""JSON over HTTP: who asks, how much is read, how long is waited, and what is said where it fails."""

import base64
import socket

import pytest

from brokers.admin import json_http
from brokers.admin.base import AdminError, SilentError
from tests.brokers.admin.json_peer import json_peer


def test_what_is_asked_is_posted_with_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is a GET; a proxy of the environment is passed by."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    with json_peer(lambda _: b'{"a": [1]}') as peer:
        url = f"http://127.0.0.1:{peer.port}/x"
        assert json_http.ask(url, "me", "secret", {"b": 2}) == {"a": [1]}
        assert json_http.ask(url, "me", "secret") == {"a": [1]}
    login = f"Basic {base64.b64encode(b'me:secret').decode()}"
    assert peer.asked == [("POST", "/x", login, {"b": 2}), ("GET", "/x", login, None)]


@pytest.mark.parametrize(
    ("text", "status", "says"),
    [
        (b"{", 200, "does not answer: .*Expecting"),
        (b"\xff\xfe\xfd", 200, "does not answer: .*codec"),
        (b"[" * 200_000, 200, "does not answer: "),
        (b"{}", 401, "does not answer: HTTP Error 401"),
        (b" " * 65, 200, "answers with more than 64 bytes"),
    ],
)
def test_what_is_no_answer_is_told(text: bytes, status: int, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Be it broken, too deep, refused, or too long."""
    monkeypatch.setattr(json_http, "MOST", 64 if len(text) == 65 else json_http.MOST)
    with (
        json_peer(lambda _: text, status) as peer,
        pytest.raises(AdminError, match=f"^its management interface {says}"),
    ):
        json_http.ask(f"http://127.0.0.1:{peer.port}/", "me", "secret")


def test_silence_ends() -> None:
    """It is another fault than a refusal, as who is silent is not asked again."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        port = mute.getsockname()[1]
        with pytest.raises(SilentError, match=r"does not answer within 0\.1 s"):
            json_http.ask(f"http://127.0.0.1:{port}/", "me", "secret", timeout_s=0.1)
    with pytest.raises(AdminError, match="refused"):
        json_http.ask(f"http://127.0.0.1:{port}/", "me", "secret")
