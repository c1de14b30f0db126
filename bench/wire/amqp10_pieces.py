"""AMQP 1.0: what differs between messages beside their stamps, compiled: destinations, reply addresses, digits.

A message is its template with texts put in at one place (`bench.wire.amqp10_front`): that of its routing key, then
that of its lane. They are rows of `spans`, keys first. All of it lies in front of the body, and in the first frame of
a message. A port whose messages differ by stamps alone has an empty `form`, and nothing here is called.
"""

import numpy as np

from bench.arrivals.keys import key_of
from bench.arrivals.stamp import TIME_BITS, TIME_MASK
from bench.jit import kernel_aside, kernel_part
from bench.wire.amqp10_front import SEQ_DIGITS
from bench.wire.amqp10_layout import (
    F_COMPACT,
    F_DIGITS,
    F_KEYED,
    F_REPLIES,
    F_SIZE,
    F_SIZE_AT,
    F_SPLIT,
    HEAD,
    L_PRODUCER,
    MASK32,
    SPAN_LENGTH,
    SPAN_START,
    LinkTables,
)
from bench.wire.octets import Octets, copy, put32, write_stamp

_PRODUCER_SHIFT = TIME_BITS - 32
_UPPER = TIME_MASK >> 32


@kernel_aside
def inserted(tables: LinkTables, lane: int, seq: int) -> int:
    """Return how many octets are put into the template of a message."""
    form, spans, more = tables.form, tables.spans, 0
    if form[F_KEYED] == 1:
        more += int(spans[key_of(tables.choice, tables.lanes[lane, L_PRODUCER], seq), SPAN_LENGTH])
    if form[F_REPLIES] >= 0:
        more += int(spans[form[F_REPLIES] + lane, SPAN_LENGTH])
    return more


@kernel_aside
def put_front(out: Octets, at: int, template: Octets, size: int, tables: LinkTables, lane: int, seq: int) -> int:
    """Write the first `size` octets of a message, its frame's head among them; return how many were put in."""
    form, spans, texts = tables.form, tables.spans, tables.texts
    split = int(form[F_SPLIT])
    copy(out, at, template, 0, split)
    end = at + split
    if form[F_KEYED] == 1:
        row = key_of(tables.choice, tables.lanes[lane, L_PRODUCER], seq)
        copy(out, end, texts, spans[row, SPAN_START], spans[row, SPAN_LENGTH])
        end += int(spans[row, SPAN_LENGTH])
    if form[F_REPLIES] >= 0:
        own = int(form[F_REPLIES]) + lane
        copy(out, end, texts, spans[own, SPAN_START], spans[own, SPAN_LENGTH])
        end += int(spans[own, SPAN_LENGTH])
    more = end - at - split
    copy(out, end, template, split, size - split - more)
    if split > HEAD:
        put32(out, at + form[F_SIZE_AT], form[F_SIZE] + more)
    for cell in range(F_DIGITS, len(form)):
        place = int(form[cell])
        _put_digits(out, at + place + (more if place >= split else 0), seq)
    return more


@kernel_part
def _put_digits(out: Octets, at: int, number: int) -> None:
    """Write a number in decimal, with leading zeros."""
    for place in range(SEQ_DIGITS - 1, -1, -1):
        out[np.uint64(at + place)] = 48 + number % 10
        number //= 10


@kernel_aside
def put_stamp(out: Octets, at: int, tables: LinkTables, lane: int, seq: int, intended_ns: int, sent_ns: int) -> None:
    """Write the stamp of a lane's message in the form that the port has; see `bench.arrivals.stamp`."""
    producer = tables.lanes[lane, L_PRODUCER]
    if tables.form[F_COMPACT] == 0:
        write_stamp(out, at, producer, seq, intended_ns, sent_ns)
        return
    _put_little32(out, at, intended_ns & MASK32)
    _put_little32(out, at + 4, intended_ns >> 32 & _UPPER | producer << _PRODUCER_SHIFT)
    _put_little32(out, at + 8, seq)


@kernel_part
def _put_little32(out: Octets, at: int, value: int) -> None:
    for i in range(4):
        out[np.uint64(at + i)] = value >> 8 * i & 0xFF
