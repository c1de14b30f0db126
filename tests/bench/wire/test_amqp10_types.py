"""Lists of fields are read as Proton reads them."""

from typing import Any

import cproton as pn
import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from proton import Data, DataException, Described

from bench.jit import kernel_entry
from bench.wire import amqp10_layout as x
from bench.wire import amqp10_types as t
from bench.wire.octets import Int64, Octets
from tests.bench.wire import amqp10_forms as forms
from tests.examples import examples

ADDED = np.array((t.UINT, t.BOOLEAN, t.UBYTE, t.BINARY, t.STATE, t.ANY, t.UINT), np.int64)


@kernel_entry
def fields_of(buf: Octets, at: int, stop: int, schema: Int64, count: int, fields: Int64) -> int:
    """Call the part from Python."""
    return t.read_fields(buf, at, stop, schema, count, fields)


@kernel_entry
def skipped(buf: Octets, at: int, end: int) -> int:
    """Call the part from Python."""
    return t.skip(buf, at, end)


@kernel_entry
def serial(later: int, earlier: int) -> int:
    """Call the part from Python."""
    return t.ahead(later, earlier)


def twin(buf: bytes, at: int, stop: int, count: int) -> list[int] | None:
    """Read the fields value by value with Proton; None where they do not fit."""
    if count > len(ADDED):
        return None
    found = []
    for kind in ADDED[:count].tolist():
        data, form = Data(), buf[at : at + 1]
        try:
            length = data.decode(buf[at:stop])
        except DataException:
            return None
        data.rewind()
        data.next()
        try:
            value = data.get_object()
        except (ValueError, OverflowError):  # a char beyond Unicode, which Proton cannot say
            reject()
        field = _field(kind, form, value, buf[at + 1 : at + length])
        if field is None:
            return None
        found.append(field)
        at += length
    return found + [t.NULL] * (len(ADDED) - count) if at == stop else None


def _field(kind: int, form: bytes, value: Any, payload: bytes) -> int | None:
    """Return a field's number, None where it is of another type."""
    if value is None:
        return t.NULL
    if kind == t.ANY:
        return 0
    fits = {t.UINT: b"\x43\x52\x70", t.BOOLEAN: b"\x41\x42\x56", t.UBYTE: b"\x50", t.BINARY: b"\xa0\xb0"}
    if kind == t.STATE and isinstance(value, Described):
        named = value.descriptor
        return int(x.NAMES.get(named, 0) if isinstance(named, str) else named)
    if form not in fits.get(kind, b"") or (form == b"\x56" and payload[0] > 1):  # Proton takes any octet for true
        return None
    return len(value) if kind == t.BINARY else int(value)


VALUES = st.one_of(
    st.integers(0, 2**32 - 1).flatmap(forms.uint),
    st.booleans().flatmap(forms.boolean),
    st.binary(max_size=40).flatmap(forms.binary),
    st.sampled_from(list(forms.STATES)).flatmap(forms.state),
    st.sampled_from([forms.NULL, b"\x50\x09", b"\x45", b"\x80" + bytes(8), b"\xa1\x02hi", b"\xc1\x01\x00"]),
    st.binary(min_size=1, max_size=3),
)


@pytest.mark.compiled
@settings(deadline=None, max_examples=examples(6))
@given(values=st.lists(VALUES, max_size=8), spare=st.binary(max_size=2))
def test_fields_are_read_as_proton_reads_them(values: list[bytes], spare: bytes) -> None:
    """Values of every type in every form, in right and wrong places, whole and cut short."""
    data = b"".join(values) + spare
    buf, fields = np.frombuffer(bytearray(data + b"\x52\x01" * 40), np.uint8), np.full(11, 99)
    for stop in range(max(0, len(data) - 6), len(data) + 1):
        status = fields_of(buf, 0, stop, ADDED, len(values), fields)
        expected = twin(data, 0, stop, len(values))
        assert (status == 0) == (expected is not None), (data, stop, status)
        if expected is not None:
            compared = [place for place, kind in enumerate(ADDED) if kind != t.ANY]
            assert [fields[place] for place in compared] == [expected[place] for place in compared]


@settings(deadline=None, max_examples=examples(3))
@given(data=st.one_of(VALUES, st.binary(min_size=1, max_size=12)))
def test_a_value_ends_where_proton_ends_it(data: bytes) -> None:
    """What Proton decodes is passed over in the same number of bytes."""
    parsed = pn.pn_data(0)
    try:
        length = pn.pn_data_decode(parsed, data)
    finally:
        pn.pn_data_free(parsed)
    buf = np.frombuffer(bytearray(data), np.uint8)
    if length > 0:
        assert skipped(buf, 0, len(data)) == length
        for end in range(length):
            assert skipped(buf, 0, end) == x.NEED


@pytest.mark.parametrize(("code", "name"), [(code, name) for name, code in x.NAMES.items()])
def test_symbolic_descriptors_are_known(code: int, name: str) -> None:
    """A state under its symbolic name is the same as under its number, and a near miss is none."""
    fields, schema = np.zeros(1, np.int64), np.array((t.STATE,), np.int64)
    for text, expected in ((name, code), (name[:-1] + "#", t.UNKNOWN), (name + "x", t.UNKNOWN)):
        data = b"\x00\xa3" + bytes((len(text),)) + text.encode() + b"\x45"
        assert fields_of(np.frombuffer(bytearray(data), np.uint8), 0, len(data), schema, 1, fields) == 0
        assert fields[0] == expected


@pytest.mark.parametrize(
    ("later", "earlier", "steps"), [(0, 0xFFFFFFFF, 1), (0xFFFFFFFF, 0, -1), (5, 3, 2), (0x80000000, 1, 0x7FFFFFFF)]
)
def test_serial_numbers_wrap(later: int, earlier: int, steps: int) -> None:
    """Zero is one ahead of the highest number."""
    assert serial(later, earlier) == steps
