"""Addresses of external brokers as users write them: names, addresses, host:port, URIs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from brokers.settings import ClientTls, External


def read(**table: object) -> External:
    """Read a table `external`."""
    return External.model_validate(table)


@pytest.mark.parametrize(
    ("host", "wanted"),
    [
        ("broker.example", ("broker.example", 5672)),
        ("broker.example:5673", ("broker.example", 5673)),
        ("10.0.0.1:1", ("10.0.0.1", 1)),
        ("::1", ("::1", 5672)),
        ("[::1]", ("::1", 5672)),
        ("[2001:db8::5]:5673", ("2001:db8::5", 5673)),
        ("amqp://broker.example", ("broker.example", 5672)),
        ("amqps://broker.example", ("broker.example", 5671)),
        ("amqp://[::1]:5673/v", ("::1", 5673)),
    ],
)
def test_host_and_port_are_read_as_meant(host: str, wanted: tuple[str, int]) -> None:
    """IPv6 with and without brackets, a port behind either."""
    found = read(host=host)
    assert (found.host, found.port) == wanted


def test_a_uri_says_the_other_fields() -> None:
    """User, virtual host (percent-encoded) and TLS; without any of them the defaults hold."""
    found = read(host="amqps://me%40home@broker.example:5679/a%2Fb")
    assert (found.username, found.virtual_host, found.tls) == ("me@home", "a/b", ClientTls())
    plain = read(host="amqp://broker.example/")
    assert (plain.username, plain.virtual_host, plain.tls) == (None, None, None)
    assert read(host="amqps://broker.example", tls={"ca": "ca.pem"}).tls == ClientTls(ca="ca.pem")


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"host": "http://broker.example"}, "a URI of scheme 'http': write amqp://"),
        ({"host": "amqp:///v"}, "a URI that names no host"),
        ({"host": "amqp://h/a/b"}, "names a virtual host with a `/`, which is written %2F"),
        ({"host": "amqp://h/?heartbeat=5"}, "a query or fragment"),
        ({"host": "amqp://h:99999"}, "host is no URI"),
        ({"host": "h:x"}, "host = 'h:x' is no host name, address, host:port or URI"),
        ({"host": "h/v"}, "host = 'h/v' is no host name"),
        ({"host": ""}, "host = '' is no host name"),
        ({"host": "h:5673", "port": 5674}, "says port = 5673 and port 5674: leave one out"),
        ({"host": "amqp://a@h", "username": "b"}, "says username = 'a' and username 'b'"),
    ],
)
def test_what_is_no_address_is_refused(table: dict[str, object], words: str) -> None:
    """When the scenario is read, with what to write."""
    with pytest.raises(ValidationError) as caught:
        read(**table)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "host",
    [
        "amqp://me:hunter2@h",
        "amqp://me:hunter2@h:99999",
        "amqp://me:hunter2/x@h",
        "amqp://me:1234/hunter2@h",
        "me:hunter2@h",
    ],
)
def test_a_password_is_refused_and_never_repeated(host: str) -> None:
    """A scenario goes into results and into version control, and so would the message."""
    with pytest.raises(ValidationError) as caught:
        read(host=host)
    [error] = caught.value.errors(include_input=False)
    assert "hunter2" not in error["msg"]


@given(st.text(max_size=40))
def test_any_text_is_an_address_or_refused(text: str) -> None:
    """And nothing else comes of it."""
    try:
        found = read(host=text)
    except ValidationError:
        return
    assert found.host
    assert 1 <= found.port <= 65535


def test_what_was_read_is_read_again_alike() -> None:
    """A record holds the fields, not the URI; they say the same."""
    found = read(host="amqps://me@[::1]:5679/v")
    assert External.model_validate_json(found.model_dump_json()) == found
