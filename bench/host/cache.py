"""Where the suite keeps what it can make or measure again: compiled kernels, the data of runs under way, ceilings."""

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from brokers.user_cache import user_cache

if TYPE_CHECKING:
    from pydantic import BaseModel

Kept = TypeVar("Kept", bound="BaseModel")


def cache_root() -> Path:
    """Return our folder in the user's cache; it may not exist yet. Raise OSError where nothing says where that is."""
    return user_cache()


def kept_models(file: Path, kind: type[Kept]) -> dict[str, Kept]:
    """Return the models that a file keeps, by name; none where it is missing or of another make."""
    with suppress(OSError, ValueError, AttributeError):
        document = json.loads(file.read_text(encoding="utf-8"))
        return {name: kind.model_validate(one) for name, one in document.items()}
    return {}


def keep_models(file: Path, models: Mapping[str, Kept]) -> None:
    """Write the models that a file keeps, whole or not at all; raise OSError where that fails."""
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(".partial")
    partial.write_text(json.dumps({name: one.model_dump() for name, one in models.items()}, indent=1), encoding="utf-8")
    partial.replace(file)
