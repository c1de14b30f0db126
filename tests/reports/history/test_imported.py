"""Files of other tools: what each format gives, what the store makes of it, and every fault in one message each."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bench.record.histogram import SecondsRecorder, to_histogram
from bench.units import NS_PER_S
from reports.errors import ReportError
from reports.export.hgrm import percentile_text
from reports.history import commands, text
from reports.history.exported import to_history_csv
from reports.history.formats.contract import MOST_TOLD, ImportRefusedError
from reports.history.imported import FORMATS, Given, Imported, import_files
from reports.history.series import series_of
from reports.history.store import Store
from tests.reports.history_stores import stored

FILES = Path(__file__).parent / "files"
NOON = "2026-01-31T12:00:00Z"
OMB: dict[str, Any] = json.loads((FILES / "openmessaging-made-up.json").read_text())
"""With the names that its class TestResult has."""


def no_times(_commits: object) -> dict[str, datetime]:
    """Know no commit."""
    return {}


def imported(store: Store, *files: Path, given: Given | None = None) -> list[Imported]:
    """Import files that tell no time."""
    return import_files(store, files, given or Given(time=NOON, commit="abc"), no_times)


def values(store: Store) -> dict[str, float]:
    """Return the value of each metric of a store that has one row of each."""
    rows = store.read().rows
    assert rows["metric"].is_unique
    return dict(zip(rows["metric"], rows["value"], strict=True))


def faults(*files: Path, folder: Path, given: Given | None = None) -> list[str]:
    """Return what is said of files that are refused; nothing of them may be stored."""
    with pytest.raises(ImportRefusedError) as told:
        imported(Store(folder / "history"), *files, given=given)
    assert not (folder / "history").exists()
    return list(told.value.faults)


@pytest.fixture
def written(tmp_path: Path) -> Any:
    """Writes a file."""

    def write(name: str, content: str) -> Path:
        (tmp_path / name).write_text(content, encoding="utf-8")
        return tmp_path / name

    return write


def test_perftests_csv(tmp_path: Path) -> None:
    """Rates are means, latencies medians over the intervals of 2.22.1, in ms; its test is the workload."""
    file = FILES / "perftest-2.22.1.csv"
    [done] = imported(Store(tmp_path), file)
    assert (done.format.name, done.runs, done.rows) == ("perftest-csv", 1, 11)
    table = pd.read_csv(file)
    found = values(Store(tmp_path))
    assert found["received rate"] == pytest.approx(table["received (msg/s)"].mean())
    assert found["p99 consumer latency of intervals"] == pytest.approx(3.1915)
    assert found["p50 confirm latency of intervals"] == pytest.approx(0.1355)
    assert set(Store(tmp_path).read().rows["workload"]) == {"nightly"}


def test_perftests_csv_of_a_locale_without_the_sign(tmp_path: Path, written: Any) -> None:
    """A JVM that knows no µ writes a question mark; a test without a name of its own has none."""
    content = (FILES / "perftest-2.22.1.csv").read_text()
    file = written("c.csv", content.replace("µ", "?").replace("nightly", "test-123456-789"))
    imported(Store(tmp_path), file)
    assert values(Store(tmp_path))["p99 consumer latency of intervals"] == pytest.approx(3.1915)
    assert set(Store(tmp_path).read().rows["workload"]) == {"unnamed"}


def test_perftests_json(tmp_path: Path) -> None:
    """A workload a scenario and a value of what it varies; rates are those of the samples."""
    file = FILES / "perftest-2.22.1.json"
    [done] = imported(Store(tmp_path), file)
    assert done.format.name == "perftest-json"
    rows = Store(tmp_path).read().rows.set_index(["workload", "metric"])["value"]
    wanted = json.loads(file.read_text())
    points = {"steady": wanted["steady"]} | {f"sizes, minMsgSize {k}": v for k, v in wanted["sizes"]["data"].items()}
    assert set(rows.index.get_level_values(0)) == set(points)
    for name, point in points.items():
        rates = [sample["recv-msg-rate"] for sample in point["samples"]]
        assert rows[name, "receiving rate"] == pytest.approx(np.mean(rates))
        assert 800 < rows[name, "receiving rate"] < 1_100  # as it was asked to send
        assert rows[name, "mean latency"] == pytest.approx(point["avg-latency"] / 1e3)


def test_openmessaging_benchmark(tmp_path: Path, written: Any) -> None:
    """Means of periods, what it aggregated, each in its unit; zeros were not measured; driver and workload are kept."""
    imported(Store(tmp_path), written("omb.json", json.dumps(OMB)))
    assert values(Store(tmp_path)) == {
        "publish rate": pytest.approx(1000.0),
        "consume rate": pytest.approx(1000.0),
        "mean publish latency": 1.25,
        "p50 publish latency": 1.1,
        "p99 publish latency": 3.05,
        "p99.9 publish latency": 7.5,
        "p99 publish delay": 43.0,
        "p50 end-to-end latency": 1.9,
    }
    metrics = Store(tmp_path).metrics()
    assert (metrics["p99 publish delay"].unit, metrics["publish rate"].lower_is_better) == ("µs", False)
    rows = Store(tmp_path).read().rows
    assert set(rows["target"]) == {"RabbitMQ"}
    assert set(rows["workload"]) == {OMB["workload"]}
    other = written("other.json", json.dumps(OMB | {"messageSize": 2048}))
    imported(Store(tmp_path), other)
    assert len(set(Store(tmp_path).read().rows["load"])) == 2


@pytest.mark.compiled
@pytest.mark.parametrize(
    "changed", [("", ""), ("#[Mean", "# jHiccup histogram report\n#[Mean"), ("     Value", "w\n  Value")]
)
def test_a_percentile_file(tmp_path: Path, written: Any, changed: tuple[str, str]) -> None:
    """The median is exact; a percentile without a line is that of the next line above; words around do not matter."""
    recorder = SecondsRecorder(0)
    rng = np.random.default_rng(4)
    recorder.record(np.arange(5_000) * (NS_PER_S // 5_000), rng.exponential(2e6, 5_000).astype(np.int64))
    part = recorder.finish()
    histogram = to_histogram(part.index, part.count)
    imported(Store(tmp_path), written("x.hgrm", percentile_text(histogram).replace(*changed, 1)))
    found = values(Store(tmp_path))
    assert set(found) == {"p50 latency", "p99 latency"}  # 5,000 values carry no p99.9
    assert found["p50 latency"] == pytest.approx(histogram.get_value_at_percentile(50) / 1e6, abs=6e-4)
    assert histogram.get_value_at_percentile(99) <= found["p99 latency"] * 1e6 + 600
    assert found["p99 latency"] * 1e6 <= histogram.get_value_at_percentile(99.1) + 600


def test_a_plain_csv_is_watched(tmp_path: Path, written: Any) -> None:
    """Forty commits of somebody's own metric: the step is found at its commit, and less of it is worse."""
    rng = np.random.default_rng(2)
    lines = ["time,commit,metric,value,unit,direction"]
    for place in range(40):
        level = 100.0 if place < 30 else 80.0
        when = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=place)
        lines += [f"{when.isoformat()},{place:07d},orders,{level * rng.lognormal(0, 0.01)},orders/s,higher"] * 2
    [done] = imported(Store(tmp_path), written("own.csv", "\n".join(lines)), given=Given(target="shop"))
    assert (done.runs, done.rows) == (40, 80)
    [one] = commands.watch(Store(tmp_path)).series
    assert one.series.trials == (2,) * 40
    [found] = one.found
    assert found.worse
    assert found.commit == "0000030"
    assert "orders/s" in "\n".join(text.block(one))
    assert one.series.title == "shop, unnamed: orders (csv)"


def test_a_commit_has_its_time_from_the_repository(tmp_path: Path, written: Any) -> None:
    """Where a line tells no time; a commit that is not known is named."""
    file = written("own.csv", "commit,metric,value,direction\nabc1,m,1,lower\nabc2,m,2,lower\n")
    made = {"abc1": datetime(2026, 1, 1, tzinfo=UTC), "abc2": datetime(2026, 1, 2, tzinfo=UTC)}
    import_files(Store(tmp_path / "s"), [file], Given(), lambda commits: {one: made[one] for one in commits})
    assert sorted(Store(tmp_path / "s").read().rows["time_utc"]) == [one.isoformat() for one in made.values()]
    [fault] = faults(file, folder=tmp_path, given=Given(time=""))[:1]
    assert "own.csv: time is 'that of commit abc1': the file tells no time" in fault
    assert "give it with --time" in fault


def test_what_is_in_the_store_is_left_out(tmp_path: Path, written: Any) -> None:
    """The same file again adds nothing, of a file that grew only what is new, and another file of that time its own."""
    head = "time,metric,value,direction\n"
    lines = [f"2026-01-0{day},m,{day},lower\n" for day in range(1, 6)]
    for upto, added, known in ((3, 3, 0), (3, 0, 3), (5, 2, 3)):
        [done] = imported(Store(tmp_path), written("own.csv", head + "".join(lines[:upto])), given=Given())
        assert (done.runs, done.known) == (added, known)
    for workload, added in (("one", 1), ("two", 1), ("two", 0)):
        file = written("omb.json", json.dumps(OMB | {"workload": workload}))
        assert imported(Store(tmp_path), file)[0].runs == added


def test_an_export_is_an_import(tmp_path: Path) -> None:
    """What a store exports makes the same series in another, values and trials and names; in its own, nothing new."""
    first = stored(tmp_path / "first", [2.0, 2.1, 1.9])
    imported(first, FILES / "perftest-2.22.1.csv")
    (tmp_path / "out.csv").write_text(to_history_csv(first.read().rows, first.metrics()))
    second = Store(tmp_path / "second")
    [done] = imported(second, tmp_path / "out.csv", given=Given())
    assert done.runs == 4
    here, there = (series_of(one.read().rows, metrics=one.metrics()) for one in (first, second))
    assert len(here) == 12
    for one, other in zip(here, there, strict=True):
        assert (one.name, one.key, one.metric) == (other.name, other.key, other.metric)
        assert (one.trials, one.run_ids, one.commits, one.times) == (
            other.trials,
            other.run_ids,
            other.commits,
            other.times,
        )
        np.testing.assert_allclose(other.values, one.values, rtol=1e-12)
    assert imported(first, tmp_path / "out.csv", given=Given())[0].runs == 0
    table = pd.read_csv(tmp_path / "out.csv")
    ours = table[table["metric"] == "p99 response"]
    assert set(ours["unit"]) == {"ms"}
    assert ours["value"].between(1.5, 2.5).all()


def test_branches_and_times_of_commits_are_exported(tmp_path: Path, written: Any) -> None:
    """A branch stays beside the main one, and an old commit that was measured late keeps its place."""
    lines = ["time,commit,committed,branch,metric,value,direction"]
    for place, made in enumerate((1, 2, 4, 3)):
        lines.append(f"2026-02-0{place + 1},{made:07d},2026-01-0{made}T00:00:00Z,,m,{made},lower")
    lines.append("2026-02-05,0000005,2026-01-05T00:00:00Z,topic,m,9,lower")
    first, second = Store(tmp_path / "first"), Store(tmp_path / "second")
    imported(first, written("own.csv", "\n".join(lines)), given=Given(main="main", branch="main"))
    imported(second, written("out.csv", to_history_csv(first.read().rows, first.metrics())), given=Given())
    for store in (first, second):
        [main] = series_of(store.read().rows, metrics=store.metrics())
        np.testing.assert_allclose(main.values, [1, 2, 3, 4])
        [topic] = series_of(store.read().rows, "topic", store.metrics())
        np.testing.assert_allclose(topic.values, [1, 2, 3, 4, 9][-len(topic.commits) :])
        assert topic.commits[topic.begin :] == ("0000005",)


def test_what_a_user_says_is_kept(tmp_path: Path) -> None:
    """Names, kind of host, commit and branch."""
    given = Given(time=NOON, commit="c0ffee", branch="topic", target="t", workload="w", host_class="h")
    imported(Store(tmp_path), FILES / "perftest-2.22.1.csv", given=given)
    rows = Store(tmp_path).read().rows
    for column, value in (("commit", "c0ffee"), ("target", "t"), ("workload", "w"), ("host_class", "h")):
        assert set(rows[column]) == {value}
    assert set(rows["time_utc"]) == {"2026-01-31T12:00:00+00:00"}
    assert set(rows["branch"]) == {"topic"}
    assert series_of(rows, metrics=Store(tmp_path).metrics()) == []
    assert len(series_of(rows, "topic", Store(tmp_path).metrics())) == 11


def test_all_faults_of_all_files_are_told_at_once(tmp_path: Path, written: Any) -> None:
    """Each with file, place, value and what is allowed, and no file is stored."""
    good = written("good.json", json.dumps(OMB))
    bad = written(
        "bad.csv", "time,metric,value,mode\n2026-01-01T12:00:00,m,-1,fast\n,x,nan,\n2026-01-02,p99 response,1,full\n"
    )
    worse = written("worse.json", json.dumps(OMB | {"publishRate": [1.0, "many"], "aggregatedPublishLatencyAvg": True}))
    said = faults(good, bad, worse, folder=tmp_path)
    for words in (
        "bad.csv: line 2, time is '2026-01-01T12:00:00': ISO 8601 with a zone is allowed",
        "bad.csv: line 2, value is '-1': a number above 0 is allowed",
        "bad.csv: line 2, mode is 'fast': full or quick is allowed",
        "bad.csv: line 2, direction is '': which is better of 'm' is needed: lower or higher",
        "bad.csv: line 3, value is 'nan': a number above 0",
        "bad.csv: line 3, time is '': a time or a commit is needed",
        "worse.json: publishRate[1] is 'many': a number from 0 on is allowed",
        "worse.json: aggregatedPublishLatencyAvg is 'True': a number from 0 on",
    ):
        assert sum(words in one for one in said) == 1, words
    assert len(said) == 9  # the direction of x, too


def test_many_faults_are_counted(tmp_path: Path, written: Any) -> None:
    """The first twenty of a file are told, and how many more there are."""
    file = written("bad.csv", "time,metric,value,direction\n" + "2026-01-01,m,0,lower\n" * 100)
    said = faults(file, folder=tmp_path, given=Given())
    assert len(said) == MOST_TOLD + 1
    assert said[-1].endswith("and 80 more faults")


@pytest.mark.parametrize(
    ("content", "given", "words"),
    [
        ("", Given(), "what it is cannot be told; the CSV of PerfTest (perftest-csv), "),
        ("some,other\n1,2\n", Given(), "name one with --format"),
        ("time,metric,value,b\n", Given(kind="csv"), "column is 'b': each of time, commit, committed, branch, metric"),
        ("metric,value\nm,1\n", Given(), "head is 'metric,value': the column time or commit is missing: add it"),
        ("time,metric,value,value\n", Given(), "column is 'value': each of"),
        ("time,metric,value\n", Given(), "it holds no line below its head"),
        ("time,metric,value\n2026-01-01,p99 response,1,2\n", Given(), "there are more fields than columns"),
        ("time,metric,value,run,direction\n2026-01-01,m,1,../x,lower\n", Given(), "run is '../x': up to 100 letters"),
        (
            "time,metric,value,run\n2026-01-01,p99 response,1,r\n2026-01-02,p99 response,1,r\n",
            Given(),
            "run is 'r': one time",
        ),
        ("time,metric,value,seed,direction\n2026-01-01,m,1,-1,lower\n", Given(), "seed is '-1': a whole number"),
        ("time,metric,value\n2300-01-01,p99 response,1\n", Given(), "time is '2300-01-01': ISO 8601"),
        ("time,metric,value\n0001-01-01T00:00:00+14:00,p99 response,1\n", Given(), "time is '0001-"),
        (
            "time,metric,value,unit\n2026-01-01,p99 response,1,s\n",
            Given(),
            "it is kept in ms, lower is better: convert it",
        ),
        (f"time,metric,value,direction\n2026-01-01,{'x' * 500},1,lower\n", Given(), "metric is 'xxxx"),
        (
            "time,metric,value\n2026-01-01,p99 response,1\n",
            Given(time=NOON),
            "--time is '2026-01-31T12:00:00Z': the file tells",
        ),
        (
            "commit,metric,value\nabc,p99 response,1\n",
            Given(time=NOON, commit="d"),
            "--commit is 'd': the file tells that itself",
        ),
        ("time,metric,value\n2026-01-01,p99 response,1\n", Given(unit="us"), "--unit is 'us': a plain CSV"),
        (json.dumps(OMB), Given(), "time is '': the file tells no time"),
        (json.dumps(OMB), Given(time="yesterday"), "--time is 'yesterday': ISO 8601 with a zone"),
        (json.dumps({"publishRate": {}}), Given(), "publishRate is '{}': a list"),
        ('{"publishRate": [1e999]}', Given(), "it is no JSON"),
        ('{"publishRate": []}', Given(), "nothing was measured"),
        ("[]", Given(kind="openmessaging"), "it is no JSON object"),
        ('{"x": {"send-msg-rate": 1, "samples": [3]}}', Given(), "x.samples[0] is '3'"),
        ('{"x": 1, "y": {"send-msg-rate": 1}}', Given(), "x is '1': a scenario with its rates"),
        (
            '{"x": {"data": {}, "dimensions": "send-msg-rate"}, "send-msg-rate": {}}',
            Given(),
            "x.dimensions is 'send-msg-rate'",
        ),
        ('{"x": {"data": [], "dimensions": ["a"]}, "send-msg-rate": {}}', Given(), "x is '[]': an object is allowed"),
        ("Value Percentile TotalCount 1/(1-Percentile)\n1 0 1\n2 0.5 x 2\n", Given(), "line 3, TotalCount is 'x'"),
        ("Value Percentile TotalCount 1/(1-Percentile)\n2 0 30\n1 0.5 40 2\n", Given(), "values and counts rise"),
        ("Value Percentile TotalCount 1/(1-Percentile)\n2 0\n", Given(), "value, percentile and count are allowed"),
        (
            "Value Percentile TotalCount 1/(1-Percentile)\n2 0 30\n#[Max = 2, Total count = 31]\n",
            Given(),
            "the lines above count 30",
        ),
        ("Value Percentile TotalCount 1/(1-Percentile)\n2 0 3\n", Given(), "fewer values than the 20"),
        ("#[StartTime: 1]\nTag=a,1,1,1,HISTFAAAA\n", Given(), ":2: no line of a histogram log"),
        ("#[Histogram log format version 1.2]\n", Given(), "it holds no tag with the 20 values"),
        ("id,time (s),published (msg/s)\nx,1.0,fast\n", Given(), "line 2, published (msg/s) is 'fast'"),
        ("id,time (s),published (msg/s)\nx,1.0,1,2\n", Given(), "3 fields are allowed in a line"),
        ("id,time (s),published (msg/s)\n", Given(), "nothing was measured"),
        (
            "id,time (s),published (msg/s),median consumer latency (h)\nx,1,2,3\n",
            Given(),
            "one of ns, us, µs, ms, s is allowed",
        ),
    ],
)
def test_a_fault_is_one_message(tmp_path: Path, written: Any, content: str, given: Given, words: str) -> None:
    """What stands there, what is allowed, and what to do."""
    [fault] = faults(written("file", content), folder=tmp_path, given=given)
    assert words in fault
    assert "\n" not in fault


def test_what_is_no_file_of_text_is_refused(tmp_path: Path, written: Any) -> None:
    """A folder, a link, bytes that are no UTF-8, and a metric that the store keeps in another unit."""
    (tmp_path / "bytes").write_bytes(b"metric,value\n\xff\xfe")
    (tmp_path / "link").symlink_to(tmp_path / "bytes")
    for name, words in (
        ("none", "it cannot be read (No such file or directory)"),
        (".", "it cannot be read"),
        ("link", "it is a symbolic link, which is not followed"),
        ("bytes", "it is no text in UTF-8 (byte 13)"),
    ):
        [fault] = faults(tmp_path / name, folder=tmp_path)
        assert words in fault
    head = "time,metric,value,direction,unit\n2026-01-01,m,1,lower,"
    imported(Store(tmp_path / "history"), written("a.csv", head + "ms"), given=Given())
    with pytest.raises(ReportError, match="it is kept in ms, lower is better"):
        imported(Store(tmp_path / "history"), written("b.csv", head + "s"), given=Given())


def test_formats_are_told_by_their_first_lines() -> None:
    """No file of one is taken for another."""
    examples = {
        "perftest-csv": (FILES / "perftest-2.22.1.csv").read_text(),
        "perftest-json": (FILES / "perftest-2.22.1.json").read_text(),
        "openmessaging": json.dumps(OMB, indent=2),
        "hlog": "#[Logged with jHiccup version 2.0.7]\n#[Histogram log format version 1.2]\n",
        "hgrm": "# a\n       Value     Percentile TotalCount 1/(1-Percentile)\n\n",
        "csv": "\ufeffmetric,value,commit\r\n",
    }
    assert examples.keys() == FORMATS.keys()
    for name, content in examples.items():
        assert [one.name for one in FORMATS.values() if one.seems(content)] == [name]
