"""What becomes of each way to misbehave over AMQP 1.0; as `expected091`.

Proton passes over some of what `wire10` takes for the end, and the other way round.
"""

from tests.bench.drivers.hostile.expected091 import COMPLETED, LOST, REFUSED, STALLED, Ending

DRIVERS = ("wire10", "proton-engine", "proton-blocking")

_UNOPENED = Ending(LOST, r"took the connection but did not open .* within \d+ s")
_SILENT_END = Ending(LOST, "connection closed without a word")
_FOREIGN = Ending(REFUSED, r"it does not speak SASL over AMQP 1.0: it answered b'(AMQP|HTTP)")
_NO_SASL = Ending(REFUSED, "it sent no frame of SASL: b'")
_EVIL = Ending(REFUSED, r"amqp:[a-z-]+: \\x1b\]0;owned\\x07")
_LAST_WORDS = Ending(LOST, r"amqp:[a-z:-]+: \\x1b\]0;owned\\x07")
_BROKEN = Ending(LOST, "it sent what no peer may")
_NO_ANSWER = Ending(LOST, "it did not answer within 8 s")
_DONE = Ending(COMPLETED)
_STILL = Ending(STALLED)

ENDINGS: dict[str, Ending] = {
    "honest": _DONE,
    "silent": _UNOPENED,
    "leaves-at-header": _SILENT_END,
    "no-sasl": _FOREIGN,
    "amqp-0-9-1": _FOREIGN,
    "http": _FOREIGN,
    "huge-frame": _NO_SASL,
    "huge-frame-flood": _NO_SASL,
    "tiny-frame": _NO_SASL,
    "trickle": _UNOPENED,
    "no-plain": Ending(REFUSED, "it offers SASL EXTERNAL and not PLAIN"),
    "mechanisms-cut": _NO_SASL,
    "login-silent": _UNOPENED,
    "login-refused": Ending(REFUSED, "wrong user name or password"),
    "login-outcome-9": Ending(REFUSED, "outcome ubyte"),
    "login-challenge": Ending(REFUSED, "it wants more than one step"),
    "leaves-at-login": _SILENT_END,
    "open-silent": _UNOPENED,
    "open-refused": _EVIL,
    "open-leaves": Ending(REFUSED, "in answer to the open frame"),
    "open-huge-frame": Ending(REFUSED, "frame"),
    "open-of-nothing": _UNOPENED,
    "begin-silent": _UNOPENED,
    "begin-ended": _EVIL,
    "attach-silent": _UNOPENED,
    "attach-of-nobody": Ending(LOST, "it attached link 'nobody', for which nobody asked"),
    "attach-refused": _EVIL,
    "close-silent": _DONE,
    "frame-max-0": _DONE,
    "frame-max-1": _DONE,
    "frame-max-512": _DONE,
    "frame-max-huge": _DONE,
    "idle-1-ms": _DONE,
    "no-channels": _DONE,
    "evil-name": _DONE,
    "window-0": _STILL,
    "window-1": _STILL,
    "window-huge": _DONE,
    "no-handles": _DONE,
    "no-credit": _UNOPENED,
    "credit-huge": _DONE,
    "credit-taken-back": _UNOPENED,
    "credit-to-nobody": _BROKEN,
    "credit-count-ahead": _BROKEN,
    "credit-window-ahead": _BROKEN,
    "stalls": _STILL,
    "resets": Ending(LOST, "reset by peer|closed without a word"),
    "detaches": _LAST_WORDS,
    "ends": _LAST_WORDS,
    "closes": _LAST_WORDS,
    "frame-of-4-gib": _BROKEN,
    "frame-of-3-octets": _BROKEN,
    "bad-offset": _BROKEN,
    "bad-type": _BROKEN,
    "unknown-performative": _BROKEN,
    "unknown-channel": _BROKEN,
    "unknown-handle": _BROKEN,
    "cut-frame": _BROKEN,
    "flows-without-end": _STILL,
    "empty-frames-without-end": _STILL,
    "outcomes-without-end": _STILL,
    "no-outcomes": _STILL,
    "outcome-never-sent": Ending(COMPLETED, counts="confirms_never_sent"),
    "outcome-twice": Ending(COMPLETED, counts="confirms_again"),
    "outcome-of-all": _DONE,
    "outcome-beyond": Ending(COMPLETED, counts="confirms_never_sent"),
    "outcome-of-the-world": Ending(COMPLETED, counts="confirms_never_sent"),
    "outcome-backwards": Ending(STALLED, counts="confirms_again"),
    "rejects": _DONE,
    "releases": _DONE,
    "modifies": _DONE,
    "accepts-unsettled": _DONE,
    "outcome-unknown": _DONE,
    "outcome-missing": _DONE,
    "outcome-of-a-sender": _STILL,
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
    "delivers-twice": Ending(COMPLETED, counts="transfers_unasked"),
    "floods": Ending(COMPLETED, counts="transfers_unasked"),
    "id-repeats": _DONE,
    "id-missing": _BROKEN,
    "tag-of-40-octets": _BROKEN,
    "aborts": _STILL,
    "never-ends": _BROKEN,
    "handle-unknown": _BROKEN,
    "no-sections": _BROKEN,
    "section-unknown": _BROKEN,
    "sections-out-of-order": _BROKEN,
    "body-cut": _BROKEN,
    "body-of-4-gib": _BROKEN,
    "body-of-text": _STILL,
    "garbage": _BROKEN,
}

_FRAMING = Ending(LOST, "framing-error.*malformed frame")
_UNKNOWN_HANDLE = Ending(LOST, "amqp:invalid-field.*no such handle: 77")
_SEQUENCE = Ending(LOST, "delivery-id")
_REFUSED_SOMEHOW = Ending(REFUSED, "disconnected")
_PROTON: dict[str, Ending] = {
    "attach-of-nobody": _UNOPENED,
    "credit-huge": _UNOPENED,  # 2³² − 1 is −1 to it
    "credit-to-nobody": Ending(REFUSED, "amqp:invalid-field.*no such handle: 77"),
    "credit-count-ahead": _DONE,
    "credit-window-ahead": _STILL,
    "frame-of-4-gib": _FRAMING,
    "frame-of-3-octets": _FRAMING,
    "bad-offset": _FRAMING,
    "bad-type": _STILL,
    "unknown-performative": _STILL,
    "unknown-channel": Ending(LOST, "no such channel: 99"),
    "unknown-handle": _UNKNOWN_HANDLE,
    "cut-frame": _STILL,
    "outcome-never-sent": _DONE,
    "outcome-twice": _DONE,
    "outcome-beyond": _DONE,
    "outcome-of-the-world": _DONE,
    "outcome-backwards": Ending(LOST, "illegal delivery range"),
    "loses": _SEQUENCE,
    "delivers-twice": _SEQUENCE,
    "floods": _DONE,
    "id-repeats": _SEQUENCE,
    "id-missing": _SEQUENCE,
    "tag-of-40-octets": _DONE,
    "never-ends": _SEQUENCE,
    "handle-unknown": _UNKNOWN_HANDLE,
    "no-sections": _STILL,
    "section-unknown": _DONE,
    "sections-out-of-order": _DONE,
    "body-cut": _STILL,
    "body-of-4-gib": _STILL,
    "garbage": _STILL,
}
_PROTON_BLOCKING: dict[str, Ending] = {
    **{mode: _REFUSED_SOMEHOW for mode, end in ENDINGS.items() if end in (_FOREIGN, _NO_SASL, _SILENT_END)},
    **{mode: Ending(REFUSED, "SASL PLAIN") for mode in ("no-plain", "login-refused", "login-outcome-9")},
    "login-challenge": Ending(REFUSED, "SASL PLAIN"),
    "open-refused": Ending(REFUSED, r"amqp:internal-error.*\\x1b\]0;owned\\x07"),
    "resets": Ending(LOST, "connection aborted"),
    "accepts-unsettled": _NO_ANSWER,  # it waits until the broker has settled as well
    "no-sections": Ending(LOST, "it sent what the library cannot take"),
    "closes": Ending(LOST, r"amqp:connection:forced.*\\x1b\]0;owned\\x07"),
    **dict.fromkeys(("no-credit", "credit-huge", "credit-taken-back"), _STILL),
    **{mode: Ending(LOST, "disconnected: unknown") for mode in ("bad-type", "unknown-performative", "cut-frame")},
    **dict.fromkeys(("window-0", "window-1", "stalls", "no-outcomes", "outcome-of-a-sender"), _NO_ANSWER),
    **{mode: _NO_ANSWER for mode in ENDINGS if mode.endswith("-without-end")},
}


def ending(driver: str, mode: str) -> Ending:
    """Return how it ends with a driver."""
    if driver == "proton-blocking" and mode in _PROTON_BLOCKING:
        return _PROTON_BLOCKING[mode]
    return _PROTON.get(mode, ENDINGS[mode]) if driver.startswith("proton") else ENDINGS[mode]
