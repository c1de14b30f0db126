"""What comes from others is bounded and checked before anything is made of it."""

import base64
import json
import os
import resource
import struct
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bench.record import hlog
from bench.record.payload import buckets
from bench.results.parquet_table import read_table
from bench.results.records import Note, PlannedTrial
from bench.untrusted import parse_json, read_file, shown


def test_a_file_is_read_whole(tmp_path: Path) -> None:
    """As long as it is no longer than allowed."""
    file = tmp_path / "f"
    file.write_bytes(b"x" * 3_000_000)
    assert read_file(file, 3_000_000) == b"x" * 3_000_000
    with pytest.raises(ValueError, match="more than 2,999,999 bytes"):
        read_file(file, 2_999_999)
    with pytest.raises(FileNotFoundError):
        read_file(tmp_path / "none", 1)


@pytest.mark.parametrize("kind", ["fifo", "link", "folder", "device"])
def test_what_is_no_regular_file_is_refused_at_once(kind: str, tmp_path: Path) -> None:
    """A FIFO without a writer blocks nobody, a link leads nowhere, a device has no end."""
    place = tmp_path / "f"
    if kind == "fifo":
        os.mkfifo(place)
    elif kind == "link":
        (tmp_path / "secret").write_text("secret")
        place.symlink_to(tmp_path / "secret")
    elif kind == "folder":
        place.mkdir()
    else:
        place = Path("/dev/zero")
    with pytest.raises(OSError, match=r"symbolic link|no regular file"):
        read_file(place, 1_000)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[" * 100_000, "nested too deeply"),
        ('{"a": 1e999}', "no finite number"),
        ('{"a": NaN}', "no finite number"),
        ('{"a": -Infinity}', "no finite number"),
        ('{"a": ' + "9" * 5_000 + "}", "no integer of 64 bits"),
        ('{"a": 9223372036854775808}', "no integer of 64 bits"),
        ("{", "Expecting property name"),
    ],
    ids=["deep", "infinite", "nan", "negative", "long", "wide", "cut"],
)
def test_json_of_others_is_bounded(text: str, why: str) -> None:
    """One ValueError, whatever is wrong with it."""
    with pytest.raises(ValueError, match=why):
        parse_json(text)


def test_sound_json_is_read_as_ever() -> None:
    """The largest and the least integer, and floats."""
    document = {"a": [2**63 - 1, -(2**63), 0.5, True, None, "µ"]}
    assert parse_json(json.dumps(document)) == document


def test_text_in_records_cannot_move_a_cursor() -> None:
    """Escapes of terminals, line ends and marks that turn the direction of writing are shown as what they are."""
    evil = "gone\x1b[2J\n::error::x\u202e"
    note = Note(code="x", hard=True, text=evil)
    assert note.text == "gone\\x1b[2J\\n::error::x\\u202e"
    assert shown(("a\n", {"b": "c\r"}, 3)) == ("a\\n", {"b": "c\\r"}, 3)
    assert shown("µ × ≥ 5\u00a0ms") == "µ × ≥ 5\u00a0ms"


@pytest.mark.parametrize("name", ["../../etc", "a/b", "", "-x", "a" * 200, "."])
def test_a_trial_lies_in_no_other_folder(name: str) -> None:
    """Names of targets and workloads become parts of paths."""
    with pytest.raises(ValueError, match="pattern"):
        PlannedTrial(index=0, repetition=0, target=name, workload="w", restart_broker=False)


def payload(counts: bytes) -> str:
    """Return the text of a histogram of our range with these bytes as its counts."""
    header = struct.pack(">iiiiqqd", 0x1C849303 | 0x10, len(counts), 0, 3, 1, 3_600_000_000_000, 1.0)
    inner = zlib.compress(header + counts)
    return base64.b64encode(struct.pack(">ii", 0x1C849304 | 0x10, len(inner)) + inner).decode()


def test_a_swollen_log_line_is_refused_in_bounded_memory() -> None:
    """250 kB that inflate to 200 MB with negative runs, as well as runs and counts beyond what there is."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for counts in (b"\x01" * 200_000_000, b"\xff" * 9, b"\x01" * 40_000, b"\xfe" + b"\xff" * 8):
        with pytest.raises(ValueError, match=r"histogram|payload"):
            buckets(payload(counts))
    # Making the bait takes more than refusing it.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000


def test_a_log_of_swollen_lines_is_refused(tmp_path: Path) -> None:
    """Each line alone is what a histogram may hold; all of them would fill the memory."""
    line = f"Tag=response,{{}}.000,1.000,1.0,{payload(bytes([2]) * 30_000)}\n"
    log = tmp_path / "latency.hlog"
    log.write_text("".join(line.format(second) for second in range(200)))
    with pytest.raises(ValueError, match="swells to more buckets than a log of its size holds"):
        hlog.read_seconds(log)


def test_a_table_of_swollen_texts_is_refused(tmp_path: Path) -> None:
    """A text that is written once and meant in each row."""
    file = tmp_path / "timeline.parquet"
    pd.DataFrame({"phase": ["x" * 2_000] * 200_000}).to_parquet(file, index=False)
    assert file.stat().st_size < 100_000
    with pytest.raises(ValueError, match=r"says that it holds 200,000 rows in 400,000,000 bytes: too many"):
        read_table(file)


def test_a_table_with_texts_is_read_as_written(tmp_path: Path) -> None:
    """Nulls included."""
    frame = pd.DataFrame({"phase": ["a", None, "b", "a"], "number": [1, 2, 3, 4], "share": [0.5, np.nan, 1, 2]})
    frame.to_parquet(tmp_path / "t.parquet", index=False)
    pd.testing.assert_frame_equal(read_table(tmp_path / "t.parquet"), pd.read_parquet(tmp_path / "t.parquet"))
