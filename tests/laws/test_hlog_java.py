"""Our histogram log, read by the format's own tool, Java's HistogramLogProcessor; and logs of others, read by us."""

import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from bench.record import hlog
from bench.record.histogram import Seconds, SecondsRecorder, to_histogram
from bench.units import NS_PER_S
from reports.export.hgrm import percentile_text
from reports.history.imported import Given, import_files
from reports.history.store import Store
from reports.quantiles import ranks

ARTIFACT = "org.hdrhistogram:HdrHistogram:2.2.2"


@pytest.fixture(scope="module")
def java(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The command of a Java that knows HdrHistogram, from Maven."""
    folder = tmp_path_factory.mktemp("jar")
    subprocess.run(
        ["mvn", "-q", "-B", "dependency:copy", f"-Dartifact={ARTIFACT}", f"-DoutputDirectory={folder}"],
        check=True,
        stdin=subprocess.DEVNULL,
    )
    (jar,) = folder.glob("*.jar")
    return ["java", "-Duser.language=en", "-cp", str(jar)]


@pytest.fixture(scope="module")
def processor(java: list[str]) -> list[str]:
    """The command of HistogramLogProcessor."""
    return [*java, "org.HdrHistogram.HistogramLogProcessor"]


@dataclass
class Found:
    """What Java's reader found of one tag of a log: its summary, and the count of each highest value."""

    start_s: float
    total: int
    highest: int
    counts: dict[int, int] = field(default_factory=dict)


@pytest.fixture(scope="module")
def others(java: list[str], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[tuple[str, str], Found]]:
    """A folder of logs that Java's writer wrote, and what Java's reader found in each, by file and tag."""
    folder = tmp_path_factory.mktemp("logs")
    command = [*java, str(Path(__file__).parent / "LogsOfOthers.java"), str(folder)]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found: dict[tuple[str, str], Found] = {}
    for file, tag, *fields in (line.split(",") for line in said.splitlines()):
        if len(fields) == 2:
            found[file, tag].counts[int(fields[0])] = int(fields[1])
        else:
            found[file, tag] = Found(float(fields[0]), int(fields[1]), int(fields[2]))
    return folder, found


def written(path: Path) -> dict[str, Seconds]:
    """Write a log of two tags over six seconds; return what is in it."""
    rng = np.random.default_rng(8)
    parts = {}
    for tag, scale in (("response", 400_000), ("confirm", 9_000_000)):
        recorder = SecondsRecorder(0)
        recorder.record(np.sort(rng.integers(0, 6 * NS_PER_S, 20_000)), rng.exponential(scale, 20_000).astype(np.int64))
        parts[tag] = recorder.finish()
    hlog.write(path, 1_700_000_000.5, parts)
    return parts


@pytest.mark.compiled
def test_java_reads_the_same_counts_and_quantiles(processor: list[str], tmp_path: Path) -> None:
    """For each tag: the same total, and at every percentile Java prints, the count of values up to it."""
    path = tmp_path / "latency.hlog"
    parts = written(path)
    listed = subprocess.run([*processor, "-i", str(path), "-listtags"], check=True, capture_output=True, text=True)
    assert {"response", "confirm"} <= set(listed.stdout.split())
    for tag, part in parts.items():
        command = [*processor, "-i", str(path), "-tag", tag, "-outputValueUnitRatio", "1"]
        text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        ours = to_histogram(part.index, part.count)
        counts = np.cumsum(np.ctypeslib.as_array(ours.counts))
        rows = re.findall(r"^ *([\d.]+) ([\d.]+) +(\d+)", text, re.MULTILINE)
        assert len(rows) > 30
        for value, _, total in rows:
            assert counts[ours.get_counts_array_index(int(float(value)))] == int(total)
        assert re.search(rf"Total count +=\s+{ours.get_total_count()}\]", text)
        assert f"{ours.get_max_value():.3f}" == rows[-1][0]


@pytest.mark.compiled
def test_a_percentile_file_is_javas_to_the_letter(processor: list[str], tmp_path: Path) -> None:
    """Every row, the median among them, and every word below: its plotter reads what Java writes."""
    path = tmp_path / "latency.hlog"
    for tag, part in written(path).items():
        command = [*processor, "-i", str(path), "-tag", tag]
        java = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        ours = percentile_text(to_histogram(part.index, part.count))
        assert java.partition("\n")[2] == ours
        assert re.search(r"^ +[\d.]+ 0\.500000000000 +\d+ +2\.00$", ours, re.MULTILINE)


@pytest.mark.compiled
def test_logs_of_others_hold_what_java_counts(others: tuple[Path, dict[tuple[str, str], Found]]) -> None:
    """Of every tag, and of lines without one, each value's count is Java's: whatever the intervals and the range."""
    folder, found = others
    read = {}
    for file in {file for file, _ in found}:
        log = hlog.read_whole((folder / file).read_text(), file)
        for tag, counts in log.tags.items():
            read[file, tag] = log.start_epoch_s, dict(zip(counts.highest.tolist(), counts.count.tolist(), strict=True))
    assert read.keys() == found.keys()
    assert len(read) == 5
    for key, (start_s, counts_of) in read.items():
        assert start_s == pytest.approx(found[key].start_s, abs=1e-3)
        assert counts_of == found[key].counts
        assert sum(counts_of.values()) == found[key].total
        assert max(counts_of) == found[key].highest


@pytest.mark.compiled
def test_intervals_of_one_second_add_up(others: tuple[Path, dict[tuple[str, str], Found]]) -> None:
    """Where range and precision are ours, seconds hold every value of the twelve intervals that began in five."""
    folder, found = others
    by_second = hlog.read(folder / "absolute.hlog")["response"]
    assert len(by_second) == 5
    assert sum(one.get_total_count() for one in by_second.values()) == found["absolute.hlog", "response"].total
    sparse = hlog.read_seconds(folder / "absolute.hlog")["response"]
    assert int(sparse.count.sum()) == found["absolute.hlog", "response"].total


@pytest.mark.compiled
def test_logs_of_others_are_imported_by_tag(others: tuple[Path, dict[tuple[str, str], Found]], tmp_path: Path) -> None:
    """Each percentile is the value of its rank among those that Java counts, in ms, and the time that of the log."""
    folder, found = others
    store = Store(tmp_path / "history")
    import_files(store, sorted(folder.glob("*.hlog")), Given(), lambda _commits: {})
    rows = store.read().rows
    assert len(set(rows["run_id"])) == 3
    assert set(rows["time_utc"]) == {"2015-09-08T23:05:32.570000+00:00"}
    for (file, tag), one in found.items():
        for name, percent in (("p50", 50.0), ("p99", 99.0)):
            place = np.searchsorted(np.cumsum(list(one.counts.values())), ranks(percent, one.total))
            scale = 1 if tag == "response" else 1e6  # a tag of ours is a metric of ours, and kept in ns
            kept = rows.loc[rows["metric"] == f"{name} {tag or 'latency'}", "value"]
            assert np.isclose(kept, list(one.counts)[place] / scale, rtol=1e-9).any(), (file, tag)
