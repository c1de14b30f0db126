"""How a worker process hands its account to the conductor: one .npz file of plain arrays."""

import json
from pathlib import Path

import numpy as np

from bench.drivers.base import Int64
from bench.pauses.filter import Marks
from bench.record.account import Account
from bench.record.histogram import Seconds
from bench.record.ledger import Received, Sent

_SENT_NUMBERS = ("refused", "returned", "settled")
_RECEIVED_NUMBERS = ("duplicated", "redelivered", "reordered", "foreign", "stray", "late")
_SECONDS_ARRAYS = ("second", "index", "count", "totals")
_MARKS_ARRAYS = ("begin_ns", "clear_ns", "is_pause", "crossed")


def save(path: Path, account: Account) -> None:
    """Write an account; the file appears whole or not at all."""
    arrays: dict[str, Int64] = {}
    numbers: dict[str, object] = {
        "intended_sum_ns": account.intended_sum_ns,
        "received_sum_ns": account.received_sum_ns,
        "counters": account.counters,
        "flow": account.flow,
        "times": dict(account.times),
    }
    for tag, part in account.latencies.items():
        arrays |= {f"latency.{tag}.{name}": getattr(part, name) for name in _SECONDS_ARRAYS}
    arrays |= {f"ticks.{name}": row for name, row in account.ticks.items()}
    if account.sent is not None:
        arrays |= {f"sent.{name}": getattr(account.sent, name) for name in ("producer", "sent", "confirmed")}
        numbers["sent"] = {name: getattr(account.sent, name) for name in _SENT_NUMBERS}
    if account.received is not None:
        arrays["received.bits"] = account.received.bits  # type: ignore[assignment]
        numbers["received"] = {name: getattr(account.received, name) for name in _RECEIVED_NUMBERS}
    if account.marks is not None:
        arrays |= {f"marks.{name}": getattr(account.marks, name) for name in _MARKS_ARRAYS}
        numbers["marks"] = {"lost": account.marks.lost}
    text = np.frombuffer(json.dumps(numbers).encode(), np.uint8)
    part_file = path.with_suffix(".part")
    with part_file.open("wb") as file:
        np.savez(file, numbers=text, **arrays)  # type: ignore[arg-type]
    part_file.rename(path)


def load(path: Path) -> Account:
    """Read what `save` wrote."""
    with np.load(path, allow_pickle=False) as stored:
        numbers = json.loads(bytes(stored["numbers"]))
        tags = sorted({name.split(".")[1] for name in stored.files if name.startswith("latency.")})
        ticks = [name for name in stored.files if name.startswith("ticks.")]
        sent = numbers.get("sent")
        received, marks = numbers.get("received"), numbers.get("marks")
        return Account(
            latencies={tag: Seconds(*(stored[f"latency.{tag}.{name}"] for name in _SECONDS_ARRAYS)) for tag in tags},
            ticks={name.removeprefix("ticks."): stored[name] for name in ticks},
            sent=None
            if sent is None
            else Sent(*(stored[f"sent.{name}"] for name in ("producer", "sent", "confirmed")), **sent),
            received=None if received is None else Received(stored["received.bits"], **received),
            intended_sum_ns=numbers["intended_sum_ns"],
            received_sum_ns=numbers["received_sum_ns"],
            counters=numbers["counters"],
            flow=numbers["flow"],
            times=numbers["times"],
            marks=None if marks is None else Marks(*(stored[f"marks.{name}"] for name in _MARKS_ARRAYS), **marks),
        )
