"""How every page is filled: values are escaped, a name that is not there is an error, and numbers keep their units."""

import re
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

_PARTED = re.compile(r"(?<=\d) (?=%)|(?<=\bn) (?== \d)|(?<=\bn =) (?=\d)")


def environment(folder: Path) -> Environment:
    """Return what reads the templates of a folder."""
    return Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        finalize=_kept_together,
    )


def _kept_together(value: object) -> object:
    """Keep a percentage and its sign on one line, and the number of trials with what it is."""
    return type(value)(_PARTED.sub("\N{NO-BREAK SPACE}", value)) if isinstance(value, str) else value
