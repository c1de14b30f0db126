"""Secrets of the environment are read only where a scenario may ask for them, and never sent in clear text unsaid."""

import pytest

from brokers.credentials import ALLOWED, may_be_read
from brokers.places.external import GUEST, address, exposed, forbidden
from brokers.settings import External

SECRET = {"AWS_SECRET_ACCESS_KEY": "secret", "BUSBENCH_OTHER": "mine"}


def test_only_our_own_variables_are_read() -> None:
    """A scenario that names another gets a sentence with the next step, and the guest's password."""
    asked = External(host="h", username_env="BUSBENCH_OTHER", password_env="AWS_SECRET_ACCESS_KEY")
    at = address(asked, "/", SECRET)
    assert (at.username, at.password) == ("mine", GUEST)
    [fault] = forbidden(asked, SECRET)
    assert fault.startswith("external.password_env = 'AWS_SECRET_ACCESS_KEY'")
    assert fault.endswith("--credentials-from AWS_SECRET_ACCESS_KEY")


def test_the_command_line_may_allow_another_by_name() -> None:
    """And that one only."""
    environ = SECRET | {ALLOWED: "OTHER AWS_SECRET_ACCESS_KEY"}
    asked = External(host="h", password_env="AWS_SECRET_ACCESS_KEY")
    assert address(asked, "/", environ).password == "secret"
    assert not list(forbidden(asked, environ))
    assert not may_be_read("HOME", environ)


@pytest.mark.parametrize(
    ("host", "tls", "sasl", "clear"),
    [
        ("broker.example", None, "plain", True),
        ("10.0.0.7", None, "plain", True),
        ("::1", None, "plain", False),
        ("127.0.0.2", None, "plain", False),
        ("localhost", None, "plain", False),
        ("broker.example", True, "plain", False),
        ("broker.example", None, "anonymous", False),
    ],
)
def test_a_password_in_clear_text_over_a_network_is_noticed(host: str, tls: object, sasl: str, clear: object) -> None:
    """PLAIN without TLS to another host than this one."""
    asked = External.model_validate({"host": host, "tls": tls, "sasl": sasl})
    assert exposed(asked) is clear
