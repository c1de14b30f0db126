"""Hand readers what strangers could: `python -m tests.evidence.fuzz_readers N [first]`, N mutated inputs of each kind.

Kinds: results folders, of which some are summarised and drawn as a page, logs, scenarios (10 N), history stores and
files of other tools (2 N). A reader may refuse with the errors that it documents, or answer. Faults are any other error
or warning, more than 512 MiB beyond what the process held before, more than 2 s of CPU time, and no end. Each
batch is read by a process of its own, whose address space is limited; what kills it is found by the case that it
named last.
A case follows from its kind and number alone: `case` makes it again.
"""

import json
import os
import random
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from hdrh.histogram import HdrHistogram

from bench.plan.plan import estimate_bytes, estimate_ns, make_plan
from bench.record import hlog
from bench.record.histogram import encode, new_histogram
from bench.results.archive import ArchiveError
from bench.scenario.errors import ScenarioError
from bench.scenario.loading import SHIPPED, load_scenario
from reports import dataset
from reports.compose import Outputs, render
from reports.errors import ReportError
from reports.export.hgrm import percentile_text
from reports.export.markdown import to_markdown
from reports.export.terminal import to_terminal
from reports.history import commands, text
from reports.history.exported import to_history_csv
from reports.history.imported import Given, import_files
from reports.history.series import series_of
from reports.history.store import Store
from tests.reports.history_stores import stored
from tests.reports.synthetic import TARGETS, build, search_text

MOST_BYTES = 512 * 2**20
MOST_S = 2.0
_HUNG_S = 60.0
_STARTS_S = 180.0
"""In which a process begins its first case, on a busy machine."""
_BATCH = 1_000
_SUMMARISED, _DRAWN = 4, 40
"""Of so many results folders one is summarised, and one is drawn as a page as well; all are read."""
_LONG = "x" * 100_000
_EVIL_TEXT = ("", "$a_b$", "\x1b[2J\n::error::gone", "\u202e", "../../etc/passwd", "a\0b", "<script>", "|", "0", _LONG)
_EVIL_NUMBERS = (-1, 0, 1, 2, 2**31, 2**53, 2**63 - 1, -(2**63), 0.5, -0.5, 1e18, 1e308, -1e308, 5e-324)
_RAW = ("NaN", "Infinity", "-Infinity", "1e999", "9" * 5_000, str(2**64), "[" * 5_000, '"\\ud800"', "tru", "")
"""JSON that is none, or none that we write."""
_MARK = "%raw%"
_TOML = (
    '""', "0", "-1", "1e308", "inf", "nan", "9223372036854775807", "99999999999999999999", "true", "[]", "{}", "[[]]",
    '"\\u001b[2J"', '"' + "x" * 5_000 + '"', "'''\n'''", "1979-05-27", '"9999999h"', '"1ns"', '"1000000GiB"', "'..'",
    "[1, 'a', {}]", '"é"', "0x7fffffffffffffff", "{ kind = 'rate', rate = 1e300 }",
)  # fmt: skip
_TOML_VALUE = re.compile(r"(?<== )(\"[^\"\n]*\"|[\w.+-]+|\[[^\[\]\n]*\])")


@dataclass(frozen=True)
class Kind:
    """What is mutated and who reads it.

    Attributes:
        make: writes a mutated input into an empty folder.
        read: reads it; the number of the case tells how much of it.
        told: the errors by which a reader refuses.
        share: cases for each that was asked for.
    """

    make: Callable[[Path, random.Random], None]
    read: Callable[[Path, int], None]
    told: tuple[type[Exception], ...]
    share: int = 1


def _is_wanted(trial: dict[str, Any]) -> dict[str, Any] | None:
    return trial if trial["workload"] == "steady" and trial["target"] in TARGETS[:2] else None


def _keep_wanted(file: Path) -> None:
    """Leave out of a run's record what `_is_wanted` left without trials: each row costs time that finds nothing."""
    document = json.loads(file.read_text())
    wanted = document["scenario"]
    wanted["workloads"] = [one for one in wanted["workloads"] if one["name"] == "steady"]
    wanted["targets"] = [one for one in wanted["targets"] if one["name"] in TARGETS[:2]]
    document["plan"] = [one for one in document["plan"] if _is_wanted(one)]
    file.write_text(json.dumps(document))


@cache
def _seeds() -> "tempfile.TemporaryDirectory[str]":
    return tempfile.TemporaryDirectory(prefix="fuzz-seeds-")


@cache
def _results() -> Path:
    folder = Path(_seeds().name)
    build(folder / "run", repetitions=1, seconds=2, closed_loop=False, change=_is_wanted)
    _keep_wanted(folder / "run/run.json")
    answers = [{"target": target, "low": 100.0, "high": 120.0, "p99_ns": 2_000_000} for target in TARGETS[:2]]
    (folder / "run/search.json").write_text(search_text(*answers))
    for place in (folder / "run/trials").iterdir():
        frame = pd.DataFrame(
            {"cpu": [0, 1], "begin_ns": [10**9, 2 * 10**9], "end_ns": [10**9 + 10**7, 2 * 10**9 + 10**6]}
        )
        frame.to_parquet(place / "pauses.parquet", index=False)
    return folder / "run"


@cache
def _history() -> Path:
    folder = Path(_seeds().name) / "store"
    stored(folder, [2.0 + 0.01 * (k % 3) + 0.5 * (k > 8) for k in range(12)])
    return folder


def _paths(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield at
    if isinstance(value, dict | list):
        for key, one in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _paths(one, (*at, key))


def _evil(before: Any, rng: random.Random) -> Any:
    kind = rng.random()
    if isinstance(before, bool):
        return not before
    if isinstance(before, int | float) and kind < 0.7:
        near = before * rng.choice((-1, 0, 2, 10, 1e3, 1e6, 1e12)) + rng.choice((0, 0, 1, -1))
        return rng.choice((rng.choice(_EVIL_NUMBERS), near, round(near) if abs(near) < 1e300 else near))
    if isinstance(before, str) and kind < 0.5:
        return rng.choice((rng.choice(_EVIL_TEXT), before + rng.choice(_EVIL_TEXT), before[: len(before) // 2]))
    if isinstance(before, list) and before and kind < 0.6:
        return rng.choice((before[::-1], before * 2, before[1:], before * 200, []))
    return rng.choice(
        (None, True, [], {}, [[]], {"a": 1}, f"{_MARK}{rng.randrange(len(_RAW))}", *_EVIL_TEXT, *_EVIL_NUMBERS)
    )


def mutate_json(written: str, rng: random.Random) -> str:
    """Return a document with some of its values replaced, removed or given other names."""
    document = json.loads(written)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        path = rng.choice([path for path in _paths(document) if path] or [()])
        if not path:
            break
        inside = document
        for key in path[:-1]:
            inside = inside[key]
        action = rng.random()
        if action < 0.1:
            del inside[path[-1]]
        elif action < 0.15 and isinstance(inside, dict):
            inside[rng.choice(_EVIL_TEXT)] = inside.pop(path[-1])
        else:
            inside[path[-1]] = _evil(inside[path[-1]], rng)
    made = json.dumps(document)
    return re.sub(rf'"{_MARK}(\d+)"', lambda found: _RAW[int(found[1])], made)


def mutate_bytes(written: bytes, rng: random.Random) -> bytes:
    """Return bytes some of which are changed, cut out, or there twice."""
    made = bytearray(written)
    for _ in range(rng.choice((1, 2, 8, 32))):
        if not made:
            break
        at, length = rng.randrange(len(made)), rng.choice((1, 1, 4, 64))
        action = rng.random()
        if action < 0.6:
            made[at] = rng.choice((0, 0xFF, 0x80, rng.randrange(256), made[at] ^ 1 << rng.randrange(8)))
        elif action < 0.75:
            del made[at : at + length]
        elif action < 0.9:
            made[at:at] = made[at : at + length]
        else:
            del made[at:]
    return bytes(made)


def mutate_log(written: str, rng: random.Random) -> str:
    """Return a log of histograms with lines, fields or counts changed."""
    lines = written.splitlines()
    for _ in range(rng.choice((1, 1, 3))):
        at = rng.randrange(len(lines))
        fields = lines[at].split(",")
        action = rng.random()
        if action < 0.2:
            lines[at:at] = [lines[rng.randrange(len(lines))]] * rng.choice((1, 3, 300))
        elif action < 0.3:
            del lines[at]
        elif action < 0.7:
            fields[rng.randrange(len(fields))] = rng.choice(
                ("", "nan", "inf", "-1", "1e300", "0", "Tag=", "Tag=response", "999999999999", "0.5", _LONG, "é\x1b")
            )
            lines[at] = ",".join(fields)
        elif len(fields[-1]) > 1:
            fields[-1] = mutate_bytes(fields[-1].encode(), rng).decode("latin-1")
            lines[at] = ",".join(fields)
        if not lines:
            break
    return rng.choice(("\n", "\n", "\r\n")).join(lines)


def mutate_table(file: Path, rng: random.Random) -> None:
    """Rewrite a Parquet file with other values, types, columns or bytes."""
    if rng.random() < 0.3:
        file.write_bytes(mutate_bytes(file.read_bytes(), rng))
        return
    frame = pd.read_parquet(file)
    column = rng.choice(list(frame.columns))
    action = rng.random()
    if action < 0.1:
        frame = frame.drop(columns=column)
    elif action < 0.2:
        frame = frame.iloc[: rng.choice((0, 1, 2))]
    elif action < 0.3:
        frame[column] = rng.choice((_EVIL_TEXT[2], None, True, "1", pd.Timestamp(0)))
    elif action < 0.4:
        frame = frame.sample(frac=1, random_state=rng.randrange(1_000))
    elif action < 0.5:
        frame = pd.concat([frame] * rng.choice((2, 50)), ignore_index=True)
    elif frame[column].dtype == object or pd.api.types.is_string_dtype(frame[column]):
        frame[column] = frame[column].astype(object)
        frame.iloc[rng.randrange(len(frame)), list(frame.columns).index(column)] = rng.choice(_EVIL_TEXT)
    else:
        values = frame[column].to_numpy().astype(np.float64)
        values[rng.randrange(len(values))] = rng.choice((*_EVIL_NUMBERS, float("nan"), float("inf")))
        whole = np.isfinite(values).all() and np.abs(values).max() < 2**62 and rng.random() < 0.7
        frame[column] = values.astype(np.int64) if whole else values
    frame.to_parquet(file, index=False)


def _spoil(file: Path, rng: random.Random) -> None:
    """Put something else where a file was."""
    file.unlink()
    action = rng.randrange(6)
    if action == 0:
        os.mkfifo(file)
    elif action == 1:
        file.symlink_to(rng.choice(("/etc/passwd", "/dev/zero", file.name, "nowhere")))
    elif action == 2:
        file.mkdir()
    elif action == 3:
        file.write_bytes(rng.randbytes(rng.choice((0, 1, 1_000))))
    elif action == 4:
        file.write_bytes(b"\xff\xfe" * 10)


def _make_results(folder: Path, rng: random.Random) -> None:
    run = folder / "run"
    shutil.copytree(_results(), run)
    files = [path for path in sorted(run.rglob("*")) if path.is_file()]
    for _ in range(rng.choice((1, 1, 1, 2))):
        file = rng.choice(files)
        if file.is_symlink() or not file.is_file():
            continue
        if rng.random() < 0.08:
            _spoil(file, rng)
        elif file.suffix == ".parquet":
            with suppress(OSError, ValueError, TypeError, OverflowError):  # one that was spoiled before
                mutate_table(file, rng)
        elif rng.random() < 0.15:
            file.write_bytes(mutate_bytes(file.read_bytes(), rng))
        elif file.suffix == ".json":
            with suppress(ValueError, RecursionError):
                file.write_text(mutate_json(file.read_text(), rng))
        else:
            with suppress(ValueError, IndexError):  # as above
                file.write_text(mutate_log(file.read_text(), rng))


def _read_results(folder: Path, number: int) -> None:
    if number % _SUMMARISED:
        dataset.load(folder / "run")
        return
    html = folder / "page.html" if number % _DRAWN == 0 else None
    summary = render([folder / "run"], Outputs(html=html))
    said = to_markdown(summary) + summary.to_json() + "".join(block.sentence for block in to_terminal(summary))
    if found := re.search("[\x00-\x09\x0b-\x1f\x7f\u202e]", said):
        message = f"{found[0]!r} is shown: {said[max(found.start() - 40, 0) : found.end() + 40]!r}"
        raise AssertionError(message)


def _make_log(folder: Path, rng: random.Random) -> None:
    [*logs] = sorted(_results().rglob("latency.hlog"))
    log = rng.choice(logs)
    if rng.random() < 0.3:
        (folder / "log").write_bytes(mutate_bytes(log.read_bytes(), rng))
    else:
        (folder / "log").write_text(mutate_log(log.read_text(), rng), encoding="utf-8")


def _read_log(folder: Path, number: int) -> None:
    if number % 2:
        hlog.read_seconds(folder / "log")
    else:
        hlog.read(folder / "log")


def _make_scenario(folder: Path, rng: random.Random) -> None:
    written = rng.choice(sorted(SHIPPED.glob("*.toml"))).read_text(encoding="utf-8")
    for _ in range(rng.choice((1, 1, 2, 3))):
        action, lines = rng.random(), written.splitlines() or [""]
        if action < 0.6:
            found = rng.choice([*_TOML_VALUE.finditer(written)] or [None])  # type: ignore[list-item]
            if found is not None:
                written = written[: found.start()] + rng.choice(_TOML) + written[found.end() :]
        elif action < 0.7:
            found = rng.choice([*re.finditer(r"\d+", written)] or [None])  # type: ignore[list-item]
            if found is None:
                break
            number = str(int(found[0]) * rng.choice((-1, 0, 10, 10**6, 10**15)))
            written = written[: found.start()] + number + written[found.end() :]
        elif action < 0.85:
            at, other = rng.randrange(len(lines)), rng.randrange(len(lines))
            lines[at : at + rng.choice((0, 1, 3))] = [lines[other]] * rng.choice((0, 1, 2))
            written = "\n".join(lines)
        else:
            written = mutate_bytes(written.encode(), rng).decode("latin-1")
            if not written.strip():
                break
    (folder / "mutated.toml").write_text(written, encoding="utf-8")


def _read_scenario(folder: Path, number: int) -> None:
    loaded = load_scenario(str(folder / "mutated.toml"))
    planned = make_plan(loaded.scenario, number)
    if estimate_ns(loaded.scenario, planned) < 0 or estimate_bytes(loaded.scenario, planned) < 0:
        message = "a plan takes less than nothing"
        raise AssertionError(message)


def _make_history(folder: Path, rng: random.Random) -> None:
    shutil.copytree(_history(), folder / "store")
    files = sorted((folder / "store").rglob("*.parquet"))
    for file in rng.sample(files, rng.choice((1, 1, 2, len(files)))):
        if rng.random() < 0.1:
            _spoil(file, rng)
        else:
            mutate_table(file, rng)


def _read_history(folder: Path, number: int) -> None:
    watched = commands.watch(Store(folder / "store"), now=datetime(2026, 2, 1, tzinfo=UTC))
    for one in watched.series:
        text.block(one)
        text.alarms(one)
    text.headline(watched)
    text.budget(watched)
    for branch in watched.branches:
        commands.watch(Store(folder / "store"), branch=branch)
    if number % _SUMMARISED == 0:
        commands.draw(watched, html=folder / "page.html")


@cache
def _others() -> tuple[Path, ...]:
    folder = Path(_seeds().name) / "others"
    shutil.copytree(Path(__file__).parents[1] / "reports/history/files", folder)
    histogram, ours = HdrHistogram(20_000, 3_600_000_000_000, 2), new_histogram()
    for value in range(1, 3_000):
        histogram.record_value(value * value)
        ours.record_value(value * value)
    lines = [f"{tag}{second / 2},0.5,9.0,{encode(histogram)}" for second in range(3) for tag in ("", "Tag=A,")]
    (folder / "log").write_text("\n".join(["#[StartTime: 1441753532.570 (seconds since epoch)]", *lines]))
    (folder / "hgrm").write_text(percentile_text(ours))
    store = Store(_history())
    (folder / "csv").write_text(to_history_csv(store.read().rows, store.metrics()))
    return tuple(sorted(folder.iterdir()))


def _make_import(folder: Path, rng: random.Random) -> None:
    for file in rng.sample(_others(), rng.choice((1, 1, 2))):
        made = folder / file.name
        if rng.random() < 0.2:
            made.write_bytes(mutate_bytes(file.read_bytes(), rng))
        elif file.suffix == ".json":
            made.write_text(mutate_json(file.read_text(), rng), encoding="utf-8")
        else:
            made.write_text(mutate_log(file.read_text(), rng), encoding="utf-8")
        if rng.random() < 0.03:
            _spoil(made, rng)


def _read_import(folder: Path, number: int) -> None:
    store, files = Store(folder / "store"), sorted(folder.iterdir())
    import_files(store, files, Given(time=("", "2026-01-01")[number % 2]), lambda _commits: {})
    series_of(store.read().rows, metrics=store.metrics())
    to_history_csv(store.read().rows, store.metrics())
    for one in commands.watch(store).series if number % _DRAWN == 0 else ():
        text.block(one)


KINDS = {
    "results": Kind(_make_results, _read_results, (ArchiveError, ReportError)),
    "log": Kind(_make_log, _read_log, (ValueError, OSError)),
    "scenario": Kind(_make_scenario, _read_scenario, (ScenarioError,), share=10),
    "history": Kind(_make_history, _read_history, (ReportError,)),
    "import": Kind(_make_import, _read_import, (ReportError,), share=2),
}


def case(kind: str, number: int, folder: Path) -> str:
    """Make a case in an empty folder and let it be read; return what is wrong with the reader, empty for nothing."""
    made = KINDS[kind]
    made.make(folder, random.Random(f"{kind} {number}"))  # noqa: S311  (no secret)
    begun = time.process_time()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            made.read(folder, number)
    except made.told as refusal:
        wrong = "a refusal of several lines" if "\n" in str(refusal) and not isinstance(refusal, ScenarioError) else ""
    except Exception as error:  # noqa: BLE001  (that is what is looked for)
        where = traceback.extract_tb(error.__traceback__)[-1]
        ours = [one for one in traceback.extract_tb(error.__traceback__) if "/site-packages/" not in one.filename]
        at = f"{Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else where.name
        wrong = f"{type(error).__name__} at {at}: {str(error)[:160]!r}"
    else:
        wrong = ""
    took = time.process_time() - begun
    return wrong or (f"it took {took:.1f} s" if took > MOST_S else "")


def batch(kind: str, numbers: Sequence[int]) -> None:
    """Read cases with a bounded address space; tell each on standard output before it begins, and what was wrong."""
    warm = Path(tempfile.mkdtemp(prefix="fuzz-"))
    (warm / "x").mkdir()
    case(kind, 0, warm / "x")  # imports and compiled functions are there from now on
    held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (held + MOST_BYTES, held + MOST_BYTES))
    for number in numbers:
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()
        folder = warm / str(number)
        folder.mkdir()
        if wrong := case(kind, number, folder):
            sys.stdout.write(f"{number} {wrong}\n")
        shutil.rmtree(folder, ignore_errors=True)
    shutil.rmtree(warm)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    sys.stdout.write(f"peak {peak}\n")


def faults(kind: str, first: int, count: int, peaks: list[int]) -> Iterator[tuple[int, str]]:
    """Yield number and fault of each case that went wrong; batches run in processes of their own.

    `peaks` takes the largest resident size of each, KiB.
    """
    at, end = first, first + count
    while at < end:
        upto = min(at + _BATCH, end)
        with tempfile.TemporaryDirectory(prefix="fuzz-") as place, (Path(place) / "said").open("w+") as said:
            words = [sys.executable, "-m", "tests.evidence.fuzz_readers", "--batch", kind, str(at), str(upto)]
            last, ended = at, False
            with subprocess.Popen(
                words, stdout=subprocess.PIPE, stderr=said, text=True, env=os.environ | {"TMPDIR": place}
            ) as child:
                assert child.stdout is not None
                watchdog = _Watchdog(child)
                for line in child.stdout:
                    watchdog.alive()
                    number, _, wrong = line.rstrip("\n").partition(" ")
                    ended = number == "peak"
                    if ended:
                        peaks.append(int(wrong))
                        continue
                    last = int(number)
                    if wrong:
                        yield last, wrong
            watchdog.end()
            if not ended:
                said.seek(0)
                lines = said.read().strip().splitlines() or ["without a word"]
                yield last, f"the process ended with {child.returncode}: {lines[-1]}"
        at = upto if ended else last + 1


class _Watchdog:
    """Kills a process that says nothing for `_HUNG_S`."""

    def __init__(self, child: "subprocess.Popen[str]") -> None:
        self._child = child
        self._seen = time.monotonic() + _STARTS_S - _HUNG_S
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def alive(self) -> None:
        self._seen = time.monotonic()

    def end(self) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.5):
            if time.monotonic() - self._seen > _HUNG_S:
                self._child.kill()
                return


def main(count: int, first: int = 1, kinds: Sequence[str] = tuple(KINDS)) -> int:
    """Read so many cases of each kind; print what went wrong, alike faults once; return how many cases did."""
    wrong = 0
    for kind in kinds:
        begun, seen, peaks = time.monotonic(), Counter[str](), [0]
        cases = count * KINDS[kind].share
        for number, fault in faults(kind, first, cases, peaks):
            wrong += 1
            alike = (
                re.sub(r"[\d.]+|'[^']*'|\"[^\"]*\"", "…", fault.partition(": ")[0]) + fault.partition(" at ")[2][:24]
            )
            seen[alike] += 1
            if seen[alike] <= 3:
                print(f"{kind} {number}: {fault}", flush=True)
        took = time.monotonic() - begun
        print(f"{kind}: {cases:,} cases, {seen.total()} wrong, {took:.0f} s, {max(peaks) >> 10} MiB", flush=True)
    return wrong


if __name__ == "__main__":
    if sys.argv[1] == "--batch":
        batch(sys.argv[2], range(int(sys.argv[3]), int(sys.argv[4])))
    else:
        sys.exit(min(main(int(sys.argv[1]), *map(int, sys.argv[2:3]), *([sys.argv[3:]] if sys.argv[3:] else [])), 1))
