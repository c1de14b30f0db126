"""What becomes of each way to misbehave over AMQP 0-9-1: how it ends, in which words, what is counted.

A driver that ends it otherwise has a row of its own. docs/robustness-brokers.md shows the table.
"""

from dataclasses import dataclass

DRIVERS = ("wire091", "pika-codec", "pika-select", "pika-blocking", "kombu")
LOST, REFUSED, STALLED, COMPLETED = "ConnectionLost", "Refused", "stalled", "completed"


@dataclass(frozen=True)
class Ending:
    """How an exchange ends.

    Attributes:
        outcome: see `tests.bench.drivers.hostile.exchange.Exchange`.
        says: a regular expression found in what is said.
        counts: a counter that is above 0.
    """

    outcome: str
    says: str = ""
    counts: str = ""


_UNOPENED = Ending(LOST, r"took the connection but did not open .* within \d+ s")
_FOREIGN = Ending(LOST, r"AMQP 0-9-1: (it answered )?b'(AMQP|HTTP)")
_TOO_LARGE = Ending(LOST, "it sent a frame larger than was agreed")
_SILENT_END = Ending(LOST, "connection closed without a word")
_GARBAGE = Ending(LOST, "it sent (what the library cannot take|a frame (that|too))")
_NO_ANSWER = Ending(LOST, "it did not answer within 8 s")
_DONE = Ending(COMPLETED)
_STILL = Ending(STALLED)
_BLOCKING = ("pika-blocking", "kombu")

ENDINGS: dict[str, Ending] = {
    "honest": _DONE,
    "silent": _UNOPENED,
    "leaves-at-header": _SILENT_END,
    "other-version": _FOREIGN,
    "other-version-hangs": _FOREIGN,
    "http": _FOREIGN,
    "huge-frame": _TOO_LARGE,
    "huge-frame-flood": _TOO_LARGE,
    "trickle": _UNOPENED,
    "tune-0": _DONE,
    "tune-1": Ending(LOST),
    "tune-huge": _DONE,
    "tune-4096": _DONE,
    "one-channel": _DONE,
    "heartbeat-1": _DONE,
    "leaves-at-login": _SILENT_END,
    "login-refused": Ending(REFUSED, r"403 ACCESS_REFUSED - Login was refused \\x1b"),
    "open-silent": _UNOPENED,
    "declare-refused": Ending(REFUSED, r"403 \\x1b\]0;owned\\x07"),
    "declare-silent": _UNOPENED,
    "confirm-silent": _UNOPENED,
    "consume-silent": _UNOPENED,
    "close-silent": _DONE,
    "stalls": _STILL,
    "resets": Ending(LOST, "reset by peer|closed without a word"),
    "channel-close": Ending(LOST, r"406 \\x1b\]0;owned\\x07"),
    "connection-close": Ending(LOST, r"541 \\x1b\]0;owned\\x07"),
    "frame-of-4-gib": _TOO_LARGE,
    "bad-frame-end": _GARBAGE,
    "unknown-method": _GARBAGE,
    "unknown-channel": _DONE,
    "channel-twice": _DONE,
    "cut-method": _GARBAGE,
    "returns-without-end": _STILL,
    "heartbeats-without-end": _STILL,
    "lies-and-stalls": Ending(STALLED, counts="confirms_never_sent"),
    "blocks": Ending(STALLED, counts="blocked_events"),
    "no-confirms": _STILL,
    "confirm-never-sent": Ending(COMPLETED, counts="confirms_never_sent"),
    "confirm-twice": Ending(COMPLETED, counts="confirms_again"),
    "confirm-all": _DONE,
    "confirm-beyond": Ending(COMPLETED, counts="confirms_beyond"),
    "confirm-far": Ending(COMPLETED, counts="confirms_beyond"),
    "nacks": _DONE,
    "no-stamp": _STILL,
    "times-before-all": _DONE,
    "times-to-come": _DONE,
    "producer-unknown": _STILL,
    "sequence-huge": _STILL,
    "sequence-8-gib": _STILL,
    "sequence-negative": _STILL,
    "short-body": _STILL,
    "empty-body": _STILL,
    "loses": _STILL,
    "delivers-twice": Ending(COMPLETED, counts="tags_repeated"),
    "floods": Ending(COMPLETED, counts="tags_repeated"),
    "tag-repeats": Ending(COMPLETED, counts="tags_repeated"),
    "tag-zero": Ending(COMPLETED, counts="tags_repeated"),
    "consumer-unknown": _STILL,
    "size-of-8-eib": Ending(LOST, "it sent"),
    "size-too-small": Ending(LOST, "it sent"),
    "body-without-header": Ending(LOST, "it sent"),
    "properties": _DONE,
    "returns": _DONE,
}

BUT: dict[tuple[str, str], Ending] = {
    ("wire091", "unknown-channel"): Ending(LOST, "it sent Basic.Ack, for which nobody asked"),
    ("wire091", "consumer-unknown"): _DONE,
    **{
        (driver, mode): _NO_ANSWER
        for driver in _BLOCKING
        for mode in ("stalls", "lies-and-stalls", "no-confirms", "returns-without-end", "heartbeats-without-end")
    },
    **{(driver, "size-of-8-eib"): _STILL for driver in DRIVERS if driver.startswith("pika")},
    **{("kombu", mode): _GARBAGE for mode in ("unknown-channel", "channel-twice")},
    ("pika-blocking", "lies-and-stalls"): _GARBAGE,
    ("kombu", "confirm-silent"): _NO_ANSWER,
    ("kombu", "size-too-small"): _DONE,
    # Their libraries keep what a confirm is about to themselves: kombu's passes over it, pika's stumbles.
    **{(driver, mode): _DONE for driver in _BLOCKING for mode in ("confirm-beyond", "confirm-far")},
    **{("pika-blocking", mode): _GARBAGE for mode in ("confirm-never-sent", "confirm-twice")},
    **{("kombu", mode): _DONE for mode in ("confirm-never-sent", "confirm-twice")},
}


def ending(driver: str, mode: str) -> Ending:
    """Return how it ends with a driver."""
    return BUT.get((driver, mode), ENDINGS[mode])
