"""What a broker of an unknown product can do, as found by probing; what could not be found out is None."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields


@dataclass(frozen=True)
class Abilities:
    """What was found by trying.

    Attributes:
        confirms: publishers are told what became of each message; None = not known.
        nack: the broker can refuse a message; None = not known.
        queue_kinds: kinds of queues that it declares; None = not asked.
        credit: messages that a sender may send at once (1.0); None = not known.
        max_frame: bytes of a frame; None = not known.
        max_message: bytes of a message; None = not known, or without a limit.
        max_channels: channels of a connection (0-9-1), each of which serves one lane; None = not known.
        max_sessions: sessions of a connection (1.0); None = not known.
        how: by field, how it is known, or why it is not.
    """

    confirms: bool | None = None
    nack: bool | None = None
    queue_kinds: tuple[str, ...] | None = None
    credit: int | None = None
    max_frame: int | None = None
    max_message: int | None = None
    max_channels: int | None = None
    max_sessions: int | None = None
    how: Mapping[str, str] = field(default_factory=dict)

    def words(self) -> dict[str, str]:
        """Return what is known, and how, by the names under which reports show it."""
        found = {}
        for name in (one.name for one in fields(self) if one.name != "how"):
            if name not in self.how:
                continue  # the other protocol's
            value = getattr(self, name)
            found[name.replace("_", " ")] = f"{_word(value)} ({self.how[name]})"
        return found

    def lacks(self, confirms: bool) -> Iterator[str]:  # noqa: FBT001
        """Yield what is missing for workloads whose publishers wait for confirms, or do not.

        Its limits are compared with a workload by `brokers.admin.admission`, whatever the product.
        """
        if confirms and self.confirms is False:
            how = self.how.get("confirms", "as it says")
            yield f"confirms are needed (confirm_window > 0), and it has none ({how})"


def _word(value: object) -> str:
    if value is None:
        return "not known"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(value) if isinstance(value, tuple) else str(value)
