"""Opens one results folder: its run and its trials as typed records.

A folder that cannot be read at all is an error; a trial that cannot is a reason, because
the others are still worth a report. No number is made here.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from bench.results import SCHEMA_VERSION, RunRecord, TrialRecord
from reports.errors import ReportError

_Record = TypeVar("_Record", bound=BaseModel)


@dataclass(frozen=True)
class StoredTrial:
    """A finished trial and where its log and timeline lie."""

    record: TrialRecord
    folder: Path


@dataclass(frozen=True)
class StoredRun:
    """A results folder.

    Attributes:
        record: run.json.
        trials: finished, readable trials by their place in the order.
        unreadable: place in the order -> why that trial cannot be read.
    """

    folder: Path
    record: RunRecord
    trials: dict[int, StoredTrial]
    unreadable: dict[int, str]


class _UnreadableError(Exception):
    pass


def open_run(folder: Path) -> StoredRun:
    """Read a results folder.

    Raises:
        ReportError: it is missing, no results folder, damaged, or written by another version.
    """
    if not folder.is_dir():
        message = f"{folder}: no such folder. `bench run` makes one, and results/latest points to the newest."
        raise ReportError(message)
    path = folder / "run.json"
    if not path.is_file():
        message = f"{folder}: no results folder, as it holds no run.json. Give the folder that `bench run` printed."
        raise ReportError(message)
    try:
        record = _parse(path, RunRecord)
    except _UnreadableError as error:
        message = f"{error} The run's record is needed: take the folder from a backup, or run it again."
        raise ReportError(message) from None
    trials: dict[int, StoredTrial] = {}
    unreadable: dict[int, str] = {}
    for trial in sorted((folder / "trials").glob("[0-9]*")):
        number = re.match(r"\d+", trial.name)
        if number is None or not trial.is_dir():
            continue
        try:
            if not (trial / "trial.json").is_file():
                unreadable[int(number[0])] = "not finished"
                continue
            found = _parse(trial / "trial.json", TrialRecord)
        except _UnreadableError as error:
            unreadable[int(number[0])] = f"unreadable: {error}"
        else:
            trials[found.index] = StoredTrial(found, trial)
    return StoredRun(folder, record, trials, unreadable)


def _parse(path: Path, kind: type[_Record]) -> _Record:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        message = f"{path} cannot be read ({error})."
        raise _UnreadableError(message) from None
    version = content.get("schema_version") if isinstance(content, dict) else None
    if version != SCHEMA_VERSION:
        message = f"{path} has schema version {version}, and this busbench reads {SCHEMA_VERSION}."
        raise _UnreadableError(message)
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        message = f"{path} does not fit its schema: {where}: {first['msg']} ({error.error_count()} faults)."
        raise _UnreadableError(message) from None
