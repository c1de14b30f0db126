"""pika's credentials for each mechanism."""

import pika
import pytest

from brokers.endpoint import Sasl
from brokers.sasl import credentials

OFFERS = pika.spec.Connection.Start(mechanisms="PLAIN EXTERNAL ANONYMOUS")


@pytest.mark.parametrize(
    ("sasl", "response"),
    [("plain", ("PLAIN", b"\0ann\0secret")), ("external", ("EXTERNAL", b"")), ("anonymous", ("ANONYMOUS", b""))],
)
def test_each_mechanism_answers_when_it_is_offered(sasl: Sasl, response: tuple[str, bytes]) -> None:
    """Only PLAIN sends the password; pika takes each as credentials; none answers where it is not offered."""
    given = credentials(sasl, "ann", "secret")
    assert pika.ConnectionParameters(credentials=given).credentials == given
    assert given.response_for(OFFERS) == response
    assert given.response_for(pika.spec.Connection.Start(mechanisms="SCRAM-SHA-256")) == (None, None)
