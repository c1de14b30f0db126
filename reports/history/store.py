"""The append-only store: a folder of Parquet files, one a run, and one a confirmation.

```
history/
  runs/<run-id>-<seed>.parquet        columns as in `series.COLUMNS`
  confirmed/<series>-<run-id>.parquet columns as in CONFIRMED
```

Files are written once and whole, and never changed.
"""

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from pyarrow import parquet

from bench.results.schema_versions import newer_words
from reports.errors import ReportError
from reports.history.series import COLUMNS, STORE_VERSION

CONFIRMED = ("series", "run_id", "by", "verdict", "ratio", "low", "high", "n")
"""One row a confirmation: the series, the first run of the new level, the run that compared old and new, and what
that comparison said of the new side."""


@dataclass(frozen=True)
class Store:
    """A store in a folder, which is made when something is added."""

    folder: Path

    def add(self, frame: pd.DataFrame) -> bool:
        """Append the rows of one run; return False where that run is in the store already.

        Raises:
            ReportError: the folder cannot be written.
        """
        first = frame.iloc[0]
        return self._write(self.folder / "runs" / f"{_safe(first['run_id'])}-{first['seed']}.parquet", frame)

    def confirm(self, frame: pd.DataFrame) -> bool:
        """Append a confirmation; return False where that change has one.

        Raises:
            ReportError: the folder cannot be written.
        """
        first = frame.iloc[0]
        name = f"{first['series']}-{_safe(first['run_id'])}.parquet"
        return self._write(self.folder / "confirmed" / name, frame)

    def rows(self) -> pd.DataFrame:
        """Return all rows.

        Raises:
            ReportError: the store is empty, or a file in it is none of ours or of a newer version.
        """
        self._refuse_newer()
        frame = self._read("runs", COLUMNS)
        if frame.empty:
            message = f"--store {self.folder} holds no run: add one with `bench history add results/latest`."
            raise ReportError(message)
        return frame

    def confirmations(self) -> pd.DataFrame:
        """Return all confirmations.

        Raises:
            ReportError: a file is none of ours.
        """
        return self._read("confirmed", CONFIRMED)

    def _refuse_newer(self) -> None:
        """Refuse a store in which a newer version wrote; its columns may be others, so that this comes first."""
        versions = self._read("runs", ("store_version",))["store_version"]
        if versions.empty or int(versions.max()) <= STORE_VERSION:
            return
        for file in sorted((self.folder / "runs").glob("*.parquet")):
            newest = int(parquet.read_table(file, columns=["store_version"]).to_pandas()["store_version"].max())
            if newest > STORE_VERSION:
                raise ReportError(newer_words(file, "store_version", newest, STORE_VERSION))

    def _read(self, name: str, columns: tuple[str, ...]) -> pd.DataFrame:
        files = sorted((self.folder / name).glob("*.parquet"))
        if not files:
            return pd.DataFrame(columns=list(columns))
        try:
            frame: pd.DataFrame = parquet.read_table(files, columns=list(columns)).to_pandas()
        except (OSError, ValueError) as error:
            said = str(error).splitlines()[0]
            message = (
                f"--store {self.folder}: a file of {name}/ cannot be read ({said}): move it away, or name another."
            )
            raise ReportError(message) from None
        return frame

    def _write(self, file: Path, frame: pd.DataFrame) -> bool:
        if file.exists():
            return False
        part = file.with_name(f".{file.name}.{os.getpid()}.part")
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            frame.to_parquet(part, index=False)
            part.replace(file)
        except OSError as error:
            with suppress(OSError):
                part.unlink()
            message = f"--store {self.folder} cannot be written ({error.strerror}): name another folder."
            raise ReportError(message) from None
        return True


def _safe(name: str) -> str:
    return re.sub(r"[^\w.-]", "_", name)
