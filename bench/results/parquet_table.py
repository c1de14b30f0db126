"""A Parquet file of bounded size as a table."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
from pyarrow import compute, parquet

from bench.untrusted import read_file

_MOST_BYTES = 256 * 2**20
_MOST_ROWS = 4_000_000
"""Four days of ticks."""
_SAID = 200
_CELL_BYTES = 8


class _TooMuchError(Exception):
    """A file says that it holds more than any of ours does."""


def read_table(file: Path) -> pd.DataFrame:
    """Return what a Parquet file holds.

    It is read in one piece: pandas' own way looks for data sets and starts threads, too slow for thousands of small
    files.

    Raises:
        OSError: it cannot be read, or is no regular file.
        ValueError: it is none, or too large.
    """
    data = pa.py_buffer(read_file(file, _MOST_BYTES))
    try:
        return _read(data)
    except _TooMuchError as error:
        message = f"{file.name} says that it holds {error}: too many"
        raise ValueError(message) from None
    except Exception as error:  # the reader of a damaged file raises what its parts raise
        said = " ".join(str(error).split())[:_SAID]
        message = f"{file.name} cannot be read ({type(error).__name__}: {said})"
        raise ValueError(message) from error


def _read(data: pa.Buffer) -> pd.DataFrame:
    with parquet.ParquetFile(pa.BufferReader(data)) as opened:
        told, schema = opened.metadata, opened.schema_arrow
        inflated = sum(told.row_group(k).total_byte_size for k in range(told.num_row_groups))
    _check(told.num_rows, max(inflated, told.num_rows * len(schema) * _CELL_BYTES))
    if any(pa.types.is_nested(field.type) for field in schema):
        message = "it has columns of tables"
        raise ValueError(message)
    # Texts of which each is written once would swell, so that their lengths are looked at before.
    texts = [field.name for field in schema if pa.types.is_string(field.type) or pa.types.is_large_string(field.type)]
    with parquet.ParquetFile(pa.BufferReader(data), read_dictionary=texts) as opened:
        table = opened.read(use_threads=False)
    longest = sum(_longest(table[name]) for name in texts)
    _check(told.num_rows, told.num_rows * longest)
    plain = [table[field.name].cast(field.type) if field.name in texts else table[field.name] for field in schema]
    frame: pd.DataFrame = pa.Table.from_arrays(plain, schema=schema).to_pandas()
    return frame


def _check(rows: int, size: int) -> None:
    if rows > _MOST_ROWS or size > _MOST_BYTES:
        message = f"{rows:,} rows in {size:,} bytes"
        raise _TooMuchError(message)


def _longest(column: pa.ChunkedArray) -> int:
    """Return the length of the longest text of a column that is read as a dictionary, bytes."""
    lengths = [compute.max(compute.binary_length(chunk.dictionary)).as_py() for chunk in column.chunks]
    return max((length or 0 for length in lengths), default=0)
