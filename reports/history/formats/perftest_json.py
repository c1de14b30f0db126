"""The JSON of RabbitMQ's PerfTestMulti: one run a file, one workload a scenario, or a point of one that varies. Pure.

Rates are the mean over its samples: the ones that PerfTest 2.22.1 writes beside them are too small
by a factor of a million. The mean latency is that of the whole scenario. It writes no
percentiles, and no time of day.
"""

from collections.abc import Iterator, Mapping
from statistics import fmean
from typing import Any

from bench.untrusted import parse_json
from reports.history.formats.contract import Checks, ForeignFigure, ForeignFile, Format, ImportedRun, refused

_RATES = {"send-msg-rate": "sending rate", "recv-msg-rate": "receiving rate"}
_MS_PER_US = 1e-3
_MOST_SAMPLES = 1_000_000
_DEEPEST = 8
"""Variables that a scenario may vary at once."""


def _seems(text: str) -> bool:
    return text.lstrip().startswith("{") and '"send-msg-rate"' in text


def _read(source: ForeignFile) -> list[ImportedRun]:
    try:
        document = parse_json(source.text)
    except ValueError as error:
        raise refused(source.name, f"it is no JSON ({error}): have PerfTestMulti write it anew") from None
    if not isinstance(document, dict):
        raise refused(source.name, "it is no JSON object: name a result of PerfTestMulti")
    checks = Checks(source.name)
    figures = tuple(figure for name, found in document.items() for figure in _scenario(checks, name, found))
    checks.done()
    if not figures:
        raise refused(source.name, "it holds no rate and no latency above 0: nothing was measured")
    return [ImportedRun(figures, identity=source.digest)]


def _scenario(checks: Checks, name: str, found: Any) -> Iterator[ForeignFigure]:
    if not isinstance(found, dict):
        checks.fault(name, found, "a scenario with its rates is allowed")
    elif "data" in found:
        varied = found.get("dimensions")
        if not isinstance(varied, list) or not 0 < len(varied) <= _DEEPEST:
            checks.fault(f"{name}.dimensions", varied, f"a list of up to {_DEEPEST} variables is allowed")
        else:
            yield from _points(checks, name, found["data"], [str(one) for one in varied])
    else:
        yield from _statistics(checks, name, found)


def _points(checks: Checks, name: str, found: Any, varied: list[str]) -> Iterator[ForeignFigure]:
    """Yield the figures of each point of a scenario that varies; each variable is one level of objects."""
    if not isinstance(found, dict):
        checks.fault(name, found, "an object is allowed, with an entry for each value")
    elif not varied:
        yield from _statistics(checks, name, found)
    else:
        for value, inner in found.items():
            yield from _points(checks, f"{name}, {varied[0]} {value}", inner, varied[1:])


def _statistics(checks: Checks, name: str, found: Mapping[str, Any]) -> Iterator[ForeignFigure]:
    samples = found.get("samples", [])
    if not isinstance(samples, list) or len(samples) > _MOST_SAMPLES:
        checks.fault(f"{name}.samples", samples, f"a list of up to {_MOST_SAMPLES:,} samples is allowed")
        return
    for place, sample in enumerate(samples):
        if not isinstance(sample, dict):
            checks.fault(f"{name}.samples[{place}]", sample, "an object with the rates of an interval is allowed")
            return
    for field, metric in _RATES.items():
        rates = [checks.number(f"{name}.samples[{place}].{field}", one.get(field)) for place, one in enumerate(samples)]
        if rates and fmean(rates) > 0:
            yield ForeignFigure(metric, fmean(rates), "msg/s", lower_is_better=False, workload=name)
    if (mean := checks.number(f"{name}.avg-latency", found.get("avg-latency", 0))) > 0:
        yield ForeignFigure("mean latency", mean * _MS_PER_US, "ms", lower_is_better=True, workload=name)


FORMAT = Format("perftest-json", "the JSON of PerfTestMulti", _seems, _read)
