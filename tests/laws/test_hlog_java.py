"""Our histogram log, read by the format's own tool: Java's HistogramLogProcessor."""

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

from bench.record import hlog
from bench.record.histogram import Seconds, SecondsRecorder, to_histogram
from bench.units import NS_PER_S

ARTIFACT = "org.hdrhistogram:HdrHistogram:2.2.2"


@pytest.fixture(scope="module")
def processor(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The command of HistogramLogProcessor, from Maven."""
    folder = tmp_path_factory.mktemp("jar")
    subprocess.run(
        ["mvn", "-q", "-B", "dependency:copy", f"-Dartifact={ARTIFACT}", f"-DoutputDirectory={folder}"],
        check=True,
        stdin=subprocess.DEVNULL,
    )
    (jar,) = folder.glob("*.jar")
    return ["java", "-cp", str(jar), "org.HdrHistogram.HistogramLogProcessor"]


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
