"""Settings of TLS and SASL: what is taken, and what is refused before anything is started."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from bench.scenario.scenario import AnyBroker
from brokers.rabbitmq.settings import RabbitMQSettings
from brokers.settings import ClientTls, External

BROKERS: TypeAdapter[Any] = TypeAdapter(AnyBroker)


def external(**fields: Any) -> dict[str, Any]:
    """Return the settings of an external broker."""
    return {"name": "b", "kind": "rabbitmq", "place": "external", "external": fields}


def test_tls_is_a_switch_or_a_table() -> None:
    """`true` is a table that says nothing, `false` is none."""
    assert External.model_validate({"tls": True}).tls == ClientTls()
    assert External.model_validate({"tls": False}).tls is External().tls is None
    given = External.model_validate({"tls": {"ca": "ca.pem"}})
    assert given.tls == ClientTls(ca="ca.pem")
    assert External.model_validate_json(given.model_dump_json()) == given


@pytest.mark.parametrize("kind", ["rabbitmq", "qpid-broker-j"])
@pytest.mark.parametrize(
    ("transport", "sasl"),
    [("tcp", "plain"), ("tcp", "anonymous"), ("tls", "plain"), ("tls", "external"), ("tls", "anonymous")],
)
def test_what_brokers_that_we_start_can_do(kind: str, transport: str, sasl: str) -> None:
    """Everything but EXTERNAL without TLS."""
    given = BROKERS.validate_python({"name": "b", "kind": kind, "transport": transport, "sasl": sasl})
    assert (given.transport, given.sasl) == (transport, sasl)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"name": "b", "kind": "rabbitmq", "sasl": "external"}, "add transport = 'tls'"),
        ({"name": "b", "kind": "qpid-broker-j", "sasl": "external"}, "add transport = 'tls'"),
        (external() | {"transport": "tls"}, "it is `external.tls`"),
        (external() | {"sasl": "anonymous"}, "it is `external.sasl`"),
        (external(sasl="external"), "name its file, as `tls.certificate`"),
        (external(sasl="external", tls={"ca": "ca.pem"}), "name its file, as `tls.certificate`"),
        (external(tls={"key": "key.pem"}), "name that one too, as `certificate`"),
        (external(tls={"ca": ""}), "at least 1 character"),
        (external(sasl="scram"), "'plain', 'external' or 'anonymous'"),
    ],
)
def test_what_cannot_be_is_refused_with_the_next_step(settings: dict[str, Any], says: str) -> None:
    """One message each."""
    with pytest.raises(ValidationError, match=says) as caught:
        BROKERS.validate_python(settings)
    assert caught.value.error_count() == 1


def test_nothing_is_asked_by_default() -> None:
    """Plain TCP and PLAIN, as before there was a choice."""
    given = RabbitMQSettings(name="b", kind="rabbitmq")
    assert (given.transport, given.sasl) == ("tcp", "plain")
