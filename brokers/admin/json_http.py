"""JSON over HTTP from a management interface of our own brokers: bounded, timed, never by a proxy."""

import base64
import http.client
import json
import urllib.error
import urllib.request
from typing import Any

from brokers.admin.base import AdminError, SilentError

TIMEOUT_S = 10.0
MOST = 16 * 1024**2
"""Bytes of an answer; more is refused."""


def ask(url: str, user: str, password: str, asked: object = None, timeout_s: float = TIMEOUT_S) -> Any:
    """Return what a management interface answers.

    Args:
        url: `http://…`, of a broker that we started.
        user: of basic authentication.
        password: of that user.
        asked: sent as JSON by POST; None = GET.
        timeout_s: patience for each read.

    Raises:
        SilentError: it does not answer in time.
        AdminError: it cannot be reached, refuses, or answers what is no JSON or too long.
    """
    token = base64.b64encode(f"{user}:{password}".encode()).decode()
    headers = {"Authorization": f"Basic {token}", "Content-Type": "application/json"}
    body = None if asked is None else json.dumps(asked).encode()
    request = urllib.request.Request(url, body, headers)  # noqa: S310  (its scheme is ours)
    # No proxy stands between us and our own brokers.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=timeout_s) as answer:
            text = answer.read(MOST + 1)
        if len(text) > MOST:
            message = f"its management interface answers with more than {MOST} bytes"
            raise AdminError(message)
        return json.loads(text)
    except TimeoutError as error:
        message = f"its management interface does not answer within {timeout_s:g} s"
        raise SilentError(message) from error
    except (urllib.error.URLError, http.client.HTTPException, OSError, ValueError, RecursionError) as error:
        message = f"its management interface does not answer: {error}"
        raise AdminError(message) from error
