"""Every number that a reader sees stands in summary.json, and both come from the files of the results folder alone."""

import json
import math
import re
from collections import defaultdict
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hdrh.histogram import HdrHistogram
from scipy import stats

import reports
from reports import format as printed

NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")


class Words(HTMLParser):
    """Collects the text that readers see or hear; the ticks of axes are a scale, not a result, and left out."""

    def __init__(self, text: str) -> None:
        """Read a whole page."""
        super().__init__()
        self.words: list[str] = []
        self._hidden: list[str] = []
        self._scale = 0
        self._open: list[bool] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Step into a tag."""
        found = dict(attrs)
        self.words += [found[name] or "" for name in ("aria-label", "alt", "title") if name in found]
        if tag in {"style", "script"}:
            self._hidden.append(tag)
        if tag == "g":
            self._open.append("axis" in (found.get("class") or "").split())
            self._scale += self._open[-1]

    def handle_endtag(self, tag: str) -> None:
        """Step out of it."""
        if self._hidden and tag == self._hidden[-1]:
            self._hidden.pop()
        if tag == "g":
            self._scale -= self._open.pop()

    def handle_data(self, data: str) -> None:
        """Note what stands between tags."""
        if not self._hidden and not self._scale:
            self.words.append(data)


def leaves(value: Any) -> Iterator[Any]:
    """Yield every key and value under a JSON value."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner)
    else:
        yield value


def tokens(text: str) -> list[str]:
    """Return the numbers in a text, without the comma that ends a clause."""
    return [number.rstrip(",") for number in NUMBER.findall(text)]


def renderings(value: float) -> set[str]:
    """Return every text by which a report prints a number."""
    ways = (printed.number, printed.count, printed.rate, printed.milliseconds, printed.mebibytes)
    return {way(value) for way in ways} | {str(value), printed.number(value / 1024)}


def known(summary: Any) -> set[str]:
    """Return every number that summary.json can account for, as text."""
    found: set[str] = set()
    for leaf in leaves(summary):
        if isinstance(leaf, str):
            found.update(tokens(leaf))
        elif isinstance(leaf, int | float) and not isinstance(leaf, bool):
            found |= renderings(leaf)
    return found


@pytest.fixture(scope="module", params=["quick_folder", "full_folder"])
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, Any]:
    """Return folder, page and summary of a quick and of a full run."""
    folder: Path = request.getfixturevalue(request.param)
    if request.param == "quick_folder":
        page, _, text = request.getfixturevalue("quick_written")
        return folder, page, json.loads(text)
    place = tmp_path_factory.mktemp("numbers")
    reports.render([folder], reports.Outputs(html=place / "r.html", json=place / "s.json"))
    return folder, (place / "r.html").read_text(encoding="utf-8"), json.loads((place / "s.json").read_text())


@pytest.mark.compiled
def test_every_number_of_the_page_stands_in_the_summary(written: tuple[Path, str, Any]) -> None:
    """Each run of digits in text, labels and figures is a rendering of a number there, or stands in a text there."""
    _, page, summary = written
    accounted = known(summary)
    seen = [number for words in Words(page).words for number in tokens(words)]
    assert len(seen) > 500
    assert sorted(set(seen) - accounted) == []


@pytest.mark.compiled
def test_a_number_out_of_nowhere_is_seen(written: tuple[Path, str, Any]) -> None:
    """The check above objects to a figure that the summary does not hold, in text, in a label and in a figure."""
    _, page, summary = written
    for bad in ("<p>7.7777 ms</p>", '<p aria-label="7.7777 ms"></p>', "<svg><g><text>7.7777</text></g></svg>"):
        seen = [n for words in Words(page.replace("</main>", f"{bad}</main>")).words for n in tokens(words)]
        assert set(seen) - known(summary) == {"7.7777"}


def by_hand(folder: Path) -> dict[tuple[str, str], dict[str, list[float]]]:
    """Return p99 and achieved rate of each valid trial by the library and the files alone."""
    rows: dict[tuple[str, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for path in sorted((folder / "trials").glob("*/trial.json")):
        trial = json.loads(path.read_text())
        if any(note["hard"] for note in trial["health"]):
            continue
        tag = "response" if "response" in trial["latency"] else "service"
        total = HdrHistogram(1, 3_600_000_000_000, 3)
        for line in (path.parent / "latency.hlog").read_text().splitlines():
            if line.startswith(f"Tag={tag},"):
                _, start, _, _, payload = line.split(",")
                if trial["measure_from_s"] <= float(start) < trial["measure_to_s"]:
                    total.decode_and_add(payload)
        row = rows[trial["target"], trial["workload"]]
        row["rate"].append(trial["achieved_rate"])
        row["cpu"].append(trial["broker_usage"]["cpu_us_per_message"] or math.nan)
        row["p99"].append(p99(total, trial["offered" if tag == "response" else "sent"]))
        row["messages"].append(total.get_total_count())
    return rows


def p99(histogram: HdrHistogram, due: int) -> float:
    """Return the value of rank 99 % among all that were due, by counting; those that never came rank highest."""
    rank, seen = int(0.99 * due + 0.5), 0
    for bucket in histogram.get_recorded_iterator():
        seen += bucket.count_added_in_this_iter_step
        if seen >= rank:
            return float(bucket.value_iterated_to)
    return math.inf


def interval(values: list[float]) -> tuple[float, float, float]:
    """Return geometric mean and t interval on logarithms."""
    logs = [math.log(value) for value in values]
    mean = sum(logs) / len(logs)
    spread = math.sqrt(sum((log - mean) ** 2 for log in logs) / (len(logs) - 1) / len(logs))
    half = float(stats.t.ppf(0.975, len(logs) - 1)) * spread
    return math.exp(mean), math.exp(mean - half), math.exp(mean + half)


@pytest.mark.compiled
def test_the_summary_is_recomputed_from_the_folder(written: tuple[Path, str, Any]) -> None:
    """Estimates and intervals of p99, rate and CPU of every row equal those made by hand from its files."""
    folder, _, summary = written
    rows = by_hand(folder)
    checked = 0
    for cell in summary["cells"]:
        row = rows[cell["target"], cell["workload"]]
        for name, spread in (
            ("p99", cell["latency_ns"]["p99"]),
            ("rate", cell["achieved_rate"]),
            ("cpu", cell["broker_cpu_us"]),
        ):
            values = [value for value in row[name] if not math.isnan(value)]
            assert spread["n"] == len(values)
            if any(math.isinf(value) for value in values):
                assert spread["estimate"] is None
            else:
                found = (spread["estimate"], spread["interval_low"], spread["interval_high"])
                by_hand_found = interval(values)
                assert found[0] == pytest.approx(by_hand_found[0], rel=1e-9)
                if len(values) < 4:
                    assert found[1:] == (None, None)
                    assert spread["few"] == (sorted(values) if len(values) > 1 else [])
                else:
                    assert found == pytest.approx(by_hand_found, rel=1e-9)
                checked += 1
        assert cell["messages"] == sum(row["messages"])
    assert checked >= 3 * len(summary["cells"]) - 3
