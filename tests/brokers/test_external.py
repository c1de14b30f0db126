"""Addresses, credentials and messages of external brokers."""

from pathlib import Path

import pytest

from brokers import qpid_broker_j_config, rabbitmq_config
from brokers.control import ControlError, LoginRefusedError, UnreachableError, VirtualHostRefusedError
from brokers.external import ExternalBroker, address, explain
from brokers.open import open_broker
from brokers.settings import External, RabbitMQSettings

EXTERNAL = External(host="broker.example", port=5671)
SETTINGS = RabbitMQSettings(name="r", kind="rabbitmq", place="external", external=EXTERNAL)
DIALECT = rabbitmq_config.dialect(SETTINGS)
ENVIRON = {"BUSBENCH_USERNAME": "ann", "BUSBENCH_PASSWORD": "secret"}


def test_credentials_come_from_the_named_variables() -> None:
    """And are `guest` where these are not set."""
    named = address(EXTERNAL, DIALECT, ENVIRON)
    assert (named.username, named.password) == ("ann", "secret")
    default = address(EXTERNAL, DIALECT, {})
    assert (default.username, default.password) == ("guest", "guest")


def test_the_virtual_host_is_the_brokers_default_unless_given() -> None:
    """`/` on RabbitMQ, `default` on Broker-J."""
    assert address(EXTERNAL, DIALECT, {}).virtual_host == "/"
    assert address(EXTERNAL, qpid_broker_j_config.dialect(), {}).virtual_host == "default"
    given = EXTERNAL.model_copy(update={"virtual_host": "v"})
    assert address(given, DIALECT, {}).virtual_host == "v"


def test_the_password_is_in_no_representation() -> None:
    """Nor in the endpoint that a driver gets."""
    at = address(EXTERNAL, DIALECT, ENVIRON)
    assert "secret" not in repr(at)
    assert "secret" not in repr(DIALECT.endpoint("amqp091", at))


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (UnreachableError("x"), "cannot be reached"),
        (LoginRefusedError("x"), "refuses the user 'ann'"),
        (VirtualHostRefusedError("x"), "refuses the virtual host '/'"),
    ],
)
def test_each_refusal_names_address_variables_and_reason(error: ControlError, says: str) -> None:
    """Three causes, three messages; none shows the password."""
    at = address(EXTERNAL, DIALECT, ENVIRON)
    text = explain("r", EXTERNAL, at, ENVIRON, error)
    for part in (says, "broker.example:5671", "BUSBENCH_USERNAME", "BUSBENCH_PASSWORD", "x"):
        assert part in text
    assert "secret" not in text


def test_a_refused_login_says_which_variables_are_not_set() -> None:
    """The commonest cause."""
    text = explain("r", EXTERNAL, address(EXTERNAL, DIALECT, {}), {}, LoginRefusedError("x"))
    assert "BUSBENCH_USERNAME and BUSBENCH_PASSWORD not set: 'guest' was tried" in text


def test_open_broker_needs_no_image_for_an_external_one(tmp_path: Path) -> None:
    """And needs one for any other."""
    assert isinstance(open_broker(SETTINGS, tmp_path, None, {}), ExternalBroker)
    with pytest.raises(ValueError, match="started from an image"):
        open_broker(RabbitMQSettings(name="r", kind="rabbitmq"), tmp_path, None, {})
