"""Writing and reading the results folder that `bench.results.records` describes.

A trial is finished when its `trial.json` exists, which is renamed into place last. What an
interrupted trial left behind is moved under `attempts/`, never deleted and never mixed up
with a finished one.
"""

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import ValidationError

from bench.record import hlog
from bench.record.histogram import Seconds
from bench.results import durability, schema_versions
from bench.results.durability import DurabilityRecord
from bench.results.parquet_table import read_table
from bench.results.records import LATER_COLUMNS, PAUSE_COLUMNS, TIMELINE_COLUMNS, PlannedTrial, RunRecord, TrialRecord
from bench.results.schema_versions import NewerVersionError
from bench.results.search import SearchRecord
from bench.untrusted import parse_json, read_text
from brokers.plain_text import printable

_SEARCH = "search.json"
_SHOWN = 200
"""Of texts that strangers made up."""
PAUSES = "pauses.parquet"
"""Pauses of the host, in a trial's folder."""


class ArchiveError(Exception):
    """A results folder cannot be written or read; the message names it and the next step."""


class NewerArchiveError(ArchiveError):
    """A file of a results folder was written by a newer version, so that nothing of the folder is read."""


@dataclass(frozen=True)
class Trial:
    """A finished trial: its record, its folder, and what its tags in latency.hlog begin with."""

    record: TrialRecord
    folder: Path
    log_prefix: str = ""


@dataclass(frozen=True)
class Run:
    """A results folder as read.

    `unreadable` tells by index why the record of a trial is damaged; `attempts` names the
    folders of trials that were begun and did not finish; `durability` is what was seen of
    brokers' synchronous writes, None where nobody looked.
    """

    folder: Path
    record: RunRecord
    trials: tuple[Trial, ...]
    unreadable: Mapping[int, str] = field(default_factory=dict)
    attempts: tuple[str, ...] = ()
    durability: DurabilityRecord | None = None

    def left(self) -> tuple[PlannedTrial, ...]:
        """Return the planned trials that have no valid result yet, in their order."""
        done = {trial.record.index for trial in self.trials if trial.record.valid}
        return tuple(planned for planned in self.record.plan if planned.index not in done)


def create(folder: Path, record: RunRecord, scenario_text: str) -> None:
    """Begin a results folder.

    Raises:
        ArchiveError: the folder exists, or cannot be made.
    """
    try:
        folder.mkdir(parents=True)
    except FileExistsError as error:
        message = f"--out {folder} exists already: name a new folder, or finish that run with --resume {folder}"
        raise ArchiveError(message) from error
    except OSError as error:
        message = f"--out {folder} cannot be made ({error.strerror}): name a folder that can be written"
        raise ArchiveError(message) from error
    try:
        (folder / "trials").mkdir()
        (folder / "scenario.toml").write_text(scenario_text, encoding="utf-8")
        write_whole(folder / "run.json", record.model_dump_json(indent=1))
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        message = f"--out {folder} cannot be written ({error.strerror}): make room, or name another place"
        raise ArchiveError(message) from error


def remove_empty(folder: Path) -> None:
    """Remove a results folder in which no trial was finished; one that holds any stays."""
    if not _has_trial(folder):
        shutil.rmtree(folder, ignore_errors=True)


def _has_trial(run: Path) -> bool:
    return any(run.glob("trials/*/trial.json"))


def _point_latest(folder: Path) -> None:
    """Let `latest` beside a results folder point to it; a real file or folder of that name stays."""
    link = folder.parent / "latest"
    fresh = folder.parent / f".latest-{os.getpid()}"
    if link.is_symlink() or not link.exists():
        fresh.symlink_to(folder.name)
        fresh.replace(link)


@contextlib.contextmanager
def writing(run: Path) -> Iterator[None]:
    """Turn what keeps a results folder from being written into an ArchiveError."""
    try:
        yield
    except OSError as error:
        message = (
            f"{run} cannot be written ({error.strerror or error}): finished trials are kept;"
            f" make room, then run: bench run --resume {run}"
        )
        raise ArchiveError(message) from error


def place_of(run: Path, index: int, target: str, workload: str) -> Path:
    """Return where the folder of a trial is, or will be."""
    return run / "trials" / f"{index:03d}-{target}-{workload}"


def trial_folder(run: Path, index: int, target: str, workload: str) -> Path:
    """Return the folder of a trial, empty; what an earlier attempt left goes under `attempts/`.

    Raises:
        ArchiveError: it cannot be made.
    """
    folder = place_of(run, index, target, workload)
    _refuse_links(run)
    with writing(run):
        if folder.exists():
            attempts = run / "attempts"
            attempts.mkdir(exist_ok=True)
            number = sum(1 for _ in attempts.glob(f"{folder.name}-*")) + 1
            folder.rename(attempts / f"{folder.name}-{number}")
        folder.mkdir()
    return folder


def finish_trial(
    folder: Path,
    record: TrialRecord,
    latencies: Mapping[str, Seconds],
    start_epoch_s: float,
    timeline: pd.DataFrame,
    broker_log: str,
    pauses: pd.DataFrame | None = None,
) -> None:
    """Write everything of a trial; `trial.json` last, which makes it finished. The first of a run makes it the latest.

    Raises:
        ArchiveError: it cannot be written.
    """
    run = folder.parents[1]
    frame = timeline.astype({name: kind for name, kind in TIMELINE_COLUMNS.items() if kind != "string"})
    with writing(run):
        first = not _has_trial(run)
        hlog.write(folder / "latency.hlog", start_epoch_s, latencies)
        frame[list(TIMELINE_COLUMNS)].to_parquet(folder / "timeline.parquet", index=False)
        if pauses is not None:
            pauses.to_parquet(folder / PAUSES, index=False)
        (folder / "broker.log").write_text(broker_log, encoding="utf-8", errors="replace")
        for file in folder.iterdir():  # before the record that says that they are there
            _sync(file)
        write_whole(folder / "trial.json", record.model_dump_json(indent=1))
        if first:
            _point_latest(run)


def _sync(path: Path) -> None:
    """Have the kernel write a file, or the names in a folder, to its disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_durability(run: Path, record: DurabilityRecord) -> None:
    """Write what was seen of brokers' synchronous writes.

    Raises:
        ArchiveError: it cannot be written.
    """
    with writing(run):
        write_whole(run / durability.FILE, record.model_dump_json(indent=1))


def write_whole(path: Path, text: str) -> None:
    """Write a file so that it is there whole or not at all, a crash of the host included."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.unlink(missing_ok=True)
        # Nothing that lies there is followed: the folder may be a stranger's.
        opened = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        with os.fdopen(opened, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())  # else a crash of the host may leave the name without what it names
        part.replace(path)
        _sync(path.parent)
    except OSError:
        part.unlink(missing_ok=True)
        raise


def read(folder: Path) -> Run:
    """Read a results folder; records of an older version are upgraded.

    Raises:
        NewerArchiveError: a file of it is of a newer version, a trial's or a search's too.
        ArchiveError: it is none, or its run.json is damaged.
    """
    try:
        return _read(folder)
    except NewerVersionError as error:
        raise NewerArchiveError(str(error)) from error


def _refuse_links(run: Path) -> None:
    """Raise ArchiveError where a folder of a run is a link: a stranger's could lead anywhere."""
    for name in ("trials", "attempts"):
        if (run / name).is_symlink():
            message = f"{run / name} is a symbolic link, which is not followed: put the folder itself there"
            raise ArchiveError(message)


def _read(folder: Path) -> Run:
    _refuse_links(folder)
    record = _read_run(folder)
    trials, unreadable = [], {}
    for planned in record.plan:
        place = place_of(folder, planned.index, planned.target, planned.workload)
        file = place / "trial.json"
        try:
            trials.append(Trial(_own(planned, schema_versions.TRIAL.parse(file, _inside(place, file))), place))
        except FileNotFoundError:  # it is not finished
            continue
        except (ValueError, OSError) as error:
            unreadable[planned.index] = f"{place.name}: {_fault(error)}"
    attempts = tuple(sorted(path.name for path in (folder / "attempts").glob("*")))
    # A damaged search matters only where it is asked for. A newer one refuses the folder: if part of a newer
    # folder could be read, that part would be taken for the whole.
    with contextlib.suppress(ArchiveError):
        _parse_search(folder / _SEARCH)
    return Run(folder, record, tuple(trials), unreadable, attempts, _read_durability(folder))


def _inside(place: Path, file: Path) -> str:
    if place.is_symlink():
        raise OSError(errno.EINVAL, "it is a symbolic link, which is not followed")
    return read_text(file)


def _own(planned: PlannedTrial, record: TrialRecord) -> TrialRecord:
    """Return a record; raise ValueError where it is not that of the planned trial."""
    names = ("index", "repetition", "target", "workload")
    if any(getattr(planned, name) != getattr(record, name) for name in names):
        message = "it is the record of another trial"
        raise ValueError(message)
    return record


def _read_run(folder: Path) -> RunRecord:
    file = folder / "run.json"
    try:
        return schema_versions.RUN.parse(file, read_text(file))
    except OSError as error:
        message = f"{folder} is no results folder ({file.name}: {error.strerror}): name one that `bench run` made"
        raise ArchiveError(message) from error
    except ValidationError as error:
        message = _not_installed(file, error)
        if not message:
            message = f"{file} is damaged ({_fault(error)})"
        raise ArchiveError(message) from error
    except ValueError as error:
        message = f"{file} is damaged ({_fault(error)}): the run cannot be read"
        raise ArchiveError(message) from error


def _fault(error: Exception) -> str:
    """Return what is wrong with a record, on one line."""
    if not isinstance(error, ValidationError):
        return printable(" ".join(str(error).split()))
    first = error.errors()[0]
    where = "".join(f"{part}." for part in first["loc"])[:-1]
    return printable(f"{error.error_count()} faults, first: {where[:_SHOWN]}: {first['msg']}")


def _not_installed(file: Path, error: ValidationError) -> str:
    """Return which products of a run are not installed here; nothing where that is not what is wrong."""
    kinds = {
        one["ctx"]["tag"] for one in error.errors() if one["type"] == "union_tag_invalid" and "brokers" in one["loc"]
    }
    if not kinds:
        return ""
    run = parse_json(read_text(file))
    with contextlib.suppress(AttributeError, TypeError):  # what else is wrong with it is not known
        names = {broker.get("name") for broker in run["scenario"]["brokers"] if broker.get("kind") in kinds}
        packages = sorted({str(one.get("package")) for name, one in run.get("products", {}).items() if name in names})
        brought = f"install {', '.join(packages)}" if packages else "install the package that brings it"
        named = ", ".join(sorted(kinds))[:_SHOWN]
        return printable(
            f"{file}: it was made with brokers of kind {named}, which are not installed here: {brought[:_SHOWN]}"
        )
    return ""


def _read_durability(folder: Path) -> DurabilityRecord | None:
    """Return what was seen of synchronous writes; a damaged file is as if nobody had looked."""
    file = folder / durability.FILE
    try:
        return schema_versions.DURABILITY.parse(file, read_text(file))
    except (OSError, ValueError):
        return None


def rewrite(folder: Path, record: RunRecord) -> None:
    """Replace a run's record, whose plan has grown.

    Raises:
        ArchiveError: it cannot be written.
    """
    with writing(folder):
        write_whole(folder / "run.json", record.model_dump_json(indent=1))


def write_search(folder: Path, record: SearchRecord) -> None:
    """Write how a search stands into its results folder.

    Raises:
        ArchiveError: it cannot be written.
    """
    with writing(folder):
        write_whole(folder / _SEARCH, record.model_dump_json(indent=1))


def read_search(folder: Path) -> SearchRecord | None:
    """Return the search of a results folder; None where it holds none.

    Raises:
        NewerArchiveError: it is of a newer version.
        ArchiveError: it is damaged.
    """
    try:
        return _parse_search(folder / _SEARCH)
    except NewerVersionError as error:
        raise NewerArchiveError(str(error)) from error


def _parse_search(file: Path) -> SearchRecord | None:
    if not file.exists():
        return None
    try:
        return schema_versions.SEARCH.parse(file, read_text(file))
    except (ValueError, OSError) as error:
        message = f"{file} is damaged ({_fault(error)}): search again"
        raise ArchiveError(message) from error


def read_timeline(trial: Trial) -> pd.DataFrame:
    """Return the timeline of a trial, columns as in TIMELINE_COLUMNS; later ones NaN in older results.

    Raises:
        OSError, ValueError: the file cannot be read, or holds something else.
    """
    frame = read_table(trial.folder / "timeline.parquet")
    later = {name: np.nan for name in LATER_COLUMNS if name not in frame.columns}
    frame = frame.assign(**later) if later else frame
    wrong = [
        name
        for name, kind in TIMELINE_COLUMNS.items()
        if name in frame.columns and kind != "string" and not pd.api.types.is_numeric_dtype(frame[name])
    ]
    if wrong:
        message = f"timeline.parquet has no numbers in {', '.join(wrong)}"
        raise ValueError(message)
    return frame


def read_pauses(trial: Trial) -> pd.DataFrame:
    """Return the host's pauses in a trial, columns as in PAUSE_COLUMNS; none where no meter watched.

    Raises:
        OSError, ValueError: the file cannot be read, or holds something else.
    """
    file = trial.folder / PAUSES
    if not os.path.lexists(file):
        return pd.DataFrame(columns=list(PAUSE_COLUMNS), dtype=np.int64)
    frame = read_table(file)
    if list(frame.columns) != list(PAUSE_COLUMNS) or (frame.dtypes != np.int64).any():
        message = f"{file.name} does not have the whole numbers {', '.join(PAUSE_COLUMNS)}"
        raise ValueError(message)
    return frame


def free_bytes(folder: Path) -> int:
    """Return the free space where a folder is, or will be."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free
