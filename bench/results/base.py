"""The base of every stored record: frozen, and nothing in it that the model does not name."""

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """Base of every stored record."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
