"""What a confirmed message survives: the classes that a product promises and that a probe finds. Pure."""

from enum import StrEnum


class DurabilityClass(StrEnum):
    """What a confirmed message survives."""

    NONE = "none"
    """Nothing: it is lost with the broker's process."""
    PROCESS = "process"
    """A crash of the broker's process: the operating system has it, and may not have written it."""
    SYSTEM = "system"
    """A crash of the operating system: it was written before it was confirmed."""
