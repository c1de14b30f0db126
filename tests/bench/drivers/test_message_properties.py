"""Properties whose texts name the message."""

from dataclasses import replace

from bench.drivers.base import Properties
from bench.drivers.message_properties import MessageProperties

FIXED = Properties(headers=(("n", 7), ("yes", True), ("s", "text")), correlation_id="c", priority=3)


def test_what_is_the_same_for_all_is_made_once() -> None:
    """And handed out again and again."""
    made: list[Properties] = []

    def make(properties: Properties) -> list[Properties]:
        made.append(properties)
        return [properties]

    properties = MessageProperties(FIXED, make)
    assert properties.of(1) is properties.of(2)
    assert made == [FIXED]


def test_numbers_stand_in_texts_and_headers() -> None:
    """Ten digits or more, wherever `{seq}` stands; all else stays."""
    texts = replace(
        FIXED, headers=(*FIXED.headers, ("t", "<{seq}>")), correlation_id="{seq}-{seq}", message_id="m{seq}"
    )
    properties = MessageProperties(texts, lambda made: made)
    number = "0000000042"
    headers = (*FIXED.headers, ("t", f"<{number}>"))
    expected = replace(texts, headers=headers, correlation_id=f"{number}-{number}", message_id=f"m{number}")
    assert properties.of(42) == expected
    assert properties.of(10**11).message_id == "m100000000000"


def test_headers_stay_where_only_another_text_is_numbered() -> None:
    """They are the same tuple of names and values."""
    properties = MessageProperties(replace(FIXED, type="{seq}"), lambda made: made)
    assert properties.of(3) == replace(FIXED, type="0000000003")
