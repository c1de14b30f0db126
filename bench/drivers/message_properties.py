"""Properties of messages for drivers over client libraries: texts with `{seq}` are new for each message. Pure."""

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Generic, TypeVar

from bench.drivers.base import Properties

SEQ = "{seq}"
"""Stands for the sequence number of a message."""

Made = TypeVar("Made")


class MessageProperties(Generic[Made]):
    """What a client library is told of the properties of each message."""

    def __init__(self, properties: Properties, make: Callable[[Properties], Made]) -> None:
        """Make it once, where it is the same for all messages; `make` says it in the library's words."""
        self._properties = properties
        self._make = make
        self._texts = [one.name for one in fields(properties) if SEQ in str(getattr(properties, one.name))]
        self._same = None if self._texts else make(properties)

    def of(self, seq: int) -> Made:
        """Return what is told of a message."""
        return self._make(self._numbered(seq)) if self._same is None else self._same

    def _numbered(self, seq: int) -> Properties:
        """Return the properties with a number in the place of `{seq}`."""
        digits = f"{seq:010d}"
        texts = {name: getattr(self._properties, name) for name in self._texts}
        headers = texts.pop("headers", self._properties.headers)
        numbered = tuple(
            (name, value.replace(SEQ, digits) if isinstance(value, str) else value) for name, value in headers
        )
        return replace(
            self._properties, headers=numbered, **{name: text.replace(SEQ, digits) for name, text in texts.items()}
        )
