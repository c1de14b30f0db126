"""The result of OpenMessaging Benchmark: one JSON document a workload and driver (its class TestResult). Pure.

Rates are the mean of its periods of 10 s. Latencies are those that it aggregated over the run;
what it did not measure it writes as 0, and is left out. It tells no time: that stands in the
name of the file at most.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from bench.untrusted import parse_json
from reports.history.formats.contract import Checks, ForeignFigure, ForeignFile, Format, ImportedRun, refused

_RATES = {"publishRate": "publish rate", "consumeRate": "consume rate"}
_LATENCIES = {
    "aggregatedPublishLatency": ("publish latency", "ms"),
    "aggregatedPublishDelayLatency": ("publish delay", "µs"),
    "aggregatedEndToEndLatency": ("end-to-end latency", "ms"),
}
_ENDINGS = {
    "Avg": "mean", "50pct": "p50", "75pct": "p75", "95pct": "p95", "99pct": "p99", "999pct": "p99.9",
    "9999pct": "p99.99", "99999pct": "p99.999",
}  # fmt: skip
_LOAD = ("messageSize", "topics", "partitions", "producersPerTopic", "consumersPerTopic")
_MOST_PERIODS = 1_000_000


def _seems(text: str) -> bool:
    return text.lstrip().startswith("{") and '"publishRate"' in text


def _read(source: ForeignFile) -> list[ImportedRun]:
    try:
        document = parse_json(source.text)
    except ValueError as error:
        message = f"it is no JSON ({error}): have the benchmark write it anew"
        raise refused(source.name, message) from None
    checks = Checks(source.name)
    if not isinstance(document, dict):
        raise refused(source.name, "it is no JSON object: name a result of OpenMessaging Benchmark")
    names = {}
    for field in ("workload", "driver"):
        names[field] = document.get(field, "")
        if not isinstance(names[field], str):
            checks.fault(field, names[field], "text is allowed")
    figures = [*_rates(document, checks), *_latencies(document, checks)]
    checks.done()
    if not figures:
        raise refused(source.name, "it holds no rate and no latency above 0: nothing was measured")
    load = hashlib.sha256(json.dumps([document.get(field) for field in _LOAD]).encode()).hexdigest()[:8]
    made = (
        ForeignFigure(name, value, unit, better, names["driver"], names["workload"], load)
        for name, value, unit, better in figures
    )
    return [ImportedRun(tuple(made), identity=source.digest)]


def _rates(document: Mapping[str, Any], checks: Checks) -> Iterator[tuple[str, float, str, bool]]:
    for field, name in _RATES.items():
        periods = document.get(field, [])
        if not isinstance(periods, list) or len(periods) > _MOST_PERIODS:
            checks.fault(field, periods, f"a list of up to {_MOST_PERIODS:,} numbers is allowed")
            continue
        values = [checks.number(f"{field}[{place}]", value) for place, value in enumerate(periods)]
        if values and (mean := sum(values) / len(values)) > 0:
            yield name, mean, "msg/s", False


def _latencies(document: Mapping[str, Any], checks: Checks) -> Iterator[tuple[str, float, str, bool]]:
    for begin, (name, unit) in _LATENCIES.items():
        for end, percentile in _ENDINGS.items():
            if (value := checks.number(begin + end, document.get(begin + end, 0))) > 0:
                yield f"{percentile} {name}", value, unit, True


FORMAT = Format("openmessaging", "the JSON of OpenMessaging Benchmark", _seems, _read)
