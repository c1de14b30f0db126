"""The base of every stored record: frozen, nothing in it that the model does not name, text fit to be shown."""

from typing import Any

from pydantic import BaseModel, ConfigDict, field_validator

from bench.untrusted import shown


class Record(BaseModel):
    """Base of every stored record."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    @field_validator("*", mode="after")
    @classmethod
    def _shown(cls, value: Any) -> Any:
        """Escape control characters and line ends: brokers and strangers write into records what reports print."""
        return shown(value)
