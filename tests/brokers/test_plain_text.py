"""Text of others: one line, nothing in it moves a cursor, and plain text stays as it is."""

from hypothesis import given
from hypothesis import strategies as st

from brokers.plain_text import is_plain, printable

EVIL = "gone\x1b[2J\r\n::error::x\u202e\x07\ud800\u2028"
SHOWN = "gone\\x1b[2J\\r\\n::error::x\\u202e\\x07\\ud800\\u2028"


def test_what_moves_a_cursor_is_shown_as_what_it_is() -> None:
    """Controls, line ends of every kind, marks that turn the writing, halves of a pair."""
    assert printable(EVIL) == SHOWN
    assert not is_plain(EVIL)


def test_plain_text_stays() -> None:
    """Words of any script, signs, and the narrow spaces that numbers are set with."""
    for text in ("", "µ × ≥ 5\u00a0ms", "Größe 10\u202f000", "消息", "🐇"):
        assert printable(text) == text
        assert is_plain(text)


@given(st.text())
def test_any_text_is_plain_and_printable_afterwards(text: str) -> None:
    """And a second time changes nothing."""
    once = printable(text)
    assert is_plain(once)
    assert printable(once) == once
    assert len(once.splitlines()) <= 1
    once.encode("utf-8")
