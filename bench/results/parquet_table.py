"""A Parquet file of bounded size as a table."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from bench.untrusted import read_file

_MOST_BYTES = 256 * 2**20
_MOST_ROWS = 4_000_000
"""Four days of ticks."""
_SAID = 200


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
        with parquet.ParquetFile(pa.BufferReader(data)) as opened:
            told = opened.metadata
            inflated = sum(told.row_group(k).total_byte_size for k in range(told.num_row_groups))
            fits = told.num_rows <= _MOST_ROWS and inflated <= _MOST_BYTES
            frame: pd.DataFrame | None = opened.read(use_threads=False).to_pandas() if fits else None
    except Exception as error:  # the reader of a damaged file raises what its parts raise
        said = " ".join(str(error).split())[:_SAID]
        message = f"{file.name} cannot be read ({type(error).__name__}: {said})"
        raise ValueError(message) from error
    if frame is None:
        message = f"{file.name} says that it holds {told.num_rows:,} rows in {inflated:,} bytes: too many"
        raise ValueError(message)
    return frame
