"""Text that others wrote, fit for a terminal, a log and a page: nothing in it moves a cursor or ends a line. Pure."""

import unicodedata

_LINE_ENDS = {"Zl", "Zp"}


def is_plain(text: str) -> bool:
    """Return whether a text is one line without control characters, as `printable` leaves it."""
    return text.isprintable() or not any(_hidden(mark) for mark in text)


def printable(text: str) -> str:
    r"""Return a text with control characters, line ends and lone surrogates escaped, such as `\x1b` and `\n`."""
    if text.isprintable():
        return text
    return "".join(mark.encode("unicode_escape").decode("ascii") if _hidden(mark) else mark for mark in text)


def _hidden(mark: str) -> bool:
    # C: controls, formats that turn the direction of writing, surrogates, and what no version of Unicode has.
    kind = unicodedata.category(mark)
    return kind.startswith("C") or kind in _LINE_ENDS
