"""Properties of messages in pika's words."""

import pytest

from bench.drivers.base import Properties
from bench.drivers.pika.properties import basic_properties


@pytest.mark.parametrize(("durable", "mode"), [(True, 2), (False, 1)])
def test_what_is_not_asked_for_is_not_sent(*, durable: bool, mode: int) -> None:
    """The delivery mode alone."""
    given = {name: value for name, value in vars(basic_properties(Properties(), durable=durable)).items() if value}
    assert given == {"delivery_mode": mode}


def test_what_is_asked_for_is_sent() -> None:
    """The expiration as text, as 0-9-1 has it; a priority of 0 is one."""
    asked = Properties((("n", 1),), "text/plain", "gzip", 0, "c", 1_500, "m", "t", "app")
    made = basic_properties(asked, durable=False)
    assert (made.headers, made.content_type, made.content_encoding) == ({"n": 1}, "text/plain", "gzip")
    assert (made.priority, made.correlation_id, made.expiration) == (0, "c", "1500")
    assert (made.message_id, made.type, made.app_id) == ("m", "t", "app")
