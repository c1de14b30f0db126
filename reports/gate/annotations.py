"""GitHub annotations of a gate: workflow commands, one a line, for standard output."""

from collections.abc import Iterator

from reports.gate.result import Gate
from reports.gate.words import name

_LEVELS = {"regression": "error", "invalid": "error", "suspect": "warning", "undecided": "warning"}


def annotations(gate: Gate) -> Iterator[str]:
    """Return one command for the verdict and one for each line that did not pass."""
    level = _LEVELS.get(gate.verdict, "notice")
    yield f"::{level} title={_property('bench gate')}::{_data(gate.sentence)}"
    for line in gate.lines:
        if line.verdict in _LEVELS:
            title = _property(f"{line.verdict}: {name(line)}")
            yield f"::{_LEVELS[line.verdict]} title={title}::{_data(line.text)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
