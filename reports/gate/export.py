"""What others read of a gate: JUnit XML for CI, Markdown for a pull request, annotations for GitHub.

JUnit XML has one suite a target and workload, and one case a metric or limit, as the schema of
Ant's JUnit task has it, which Jenkins, GitLab and GitHub actions read. A regression and a limit
that is not kept are failures, and an invalid row an error. What is suspect, undecided or only
told was not shown either way, so it is skipped, with the reason. The exit code tells those apart.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from xml.etree import ElementTree as ET

from brokers.plain_text import printable
from reports.format import escaped, listed
from reports.gate.comment import marker
from reports.gate.result import Gate, GateLine, LimitLine
from reports.gate.words import allowed, change, figure, limit_of, limited, name, percent

_LEVELS = {
    "regression": "error",
    "fail": "error",
    "invalid": "error",
    "suspect": "warning",
    "undecided": "warning",
}


def annotations(gate: Gate) -> Iterator[str]:
    """Return one command for the verdict, and one for each line that did not pass and says more than that.

    Why rows are invalid is told once a row, and not again where it is the verdict.
    """
    level = _LEVELS.get(gate.verdict, "notice")
    yield f"::{level} title={_property('bench gate')}::{_data(gate.sentence)}"
    if gate.verdict == "invalid":
        return
    told: set[tuple[str, str]] = set()
    for line in gate.everything:
        row = line.target, line.workload
        if line.verdict == "invalid":
            if row not in told:
                told.add(row)
                title = _property(f"invalid: {line.target}, {line.workload}")
                yield f"::error title={title}::{_data(line.text)}"
        elif line.verdict in _LEVELS:
            title = _property(f"{line.verdict}: {name(line)}")
            yield f"::{_LEVELS[line.verdict]} title={title}::{_data(line.text)}"
        elif isinstance(line, GateLine) and line.disputed:
            title = _property(f"second opinion: {name(line)}")
            yield f"::warning title={title}::{_data(line.text)}"


def _data(text: str) -> str:
    # Lines of ours stay lines; what else moves a cursor is shown as what it is.
    return "%0A".join(printable(line).replace("%", "%25") for line in text.split("\n"))


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


_KINDS = {
    "regression": "failure",
    "fail": "failure",
    "invalid": "error",
    "suspect": "skipped",
    "undecided": "skipped",
    "told": "skipped",
}
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def to_junit(gate: Gate, host: str = "localhost", took_s: float = 0.0) -> str:
    """Return a gate as JUnit XML.

    Args:
        gate: what was found.
        host: name of this host.
        took_s: how long it took altogether.
    """
    root = ET.Element("testsuites")
    rows = list(dict.fromkeys((line.target, line.workload) for line in gate.everything))
    for number, (target, workload) in enumerate(rows):
        lines = [line for line in gate.everything if (line.target, line.workload) == (target, workload)]
        suite = ET.SubElement(
            root,
            "testsuite",
            {
                "id": str(number),
                "name": _clean(f"{target}.{workload}"),
                "package": "busbench.gate",
                "timestamp": gate.started_utc[:19],
                "hostname": host,
                "tests": str(len(lines)),
                **{f"{kind}s": _count(lines, kind) for kind in ("failure", "error")},
                "skipped": _count(lines, "skipped"),
                "time": f"{took_s / len(rows):.3f}",
            },
        )
        facts = ET.SubElement(suite, "properties")
        for fact in ("verdict", "baseline", "candidate"):
            ET.SubElement(facts, "property", {"name": fact, "value": _clean(getattr(gate, fact) or "none")})
        for line in lines:
            _case(suite, line)
        ET.SubElement(suite, "system-out").text = _clean(gate.sentence)
        ET.SubElement(suite, "system-err").text = _clean("\n".join(gate.remarks))
    if not rows:  # as of a run that was ended early: there is a verdict, and no figure
        suite = ET.SubElement(root, "testsuite", {"name": "busbench.gate", "tests": "1"})
        case = ET.SubElement(suite, "testcase", {"name": "verdict", "classname": "busbench.gate", "time": "0"})
        if gate.verdict not in {"pass", "told"}:
            ET.SubElement(case, "failure", {"message": _clean(gate.sentence)}).text = _clean(gate.sentence)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _case(suite: ET.Element, line: GateLine | LimitLine) -> None:
    case_name = line.metric if isinstance(line, GateLine) else f"{line.metric} {limit_of(line)}"
    names = {"name": _clean(case_name), "classname": _clean(f"{line.target}.{line.workload}"), "time": "0"}
    case = ET.SubElement(suite, "testcase", names)
    kind = _KINDS.get(line.verdict)
    if kind is not None:
        words = {"message": _clean(line.text)} | ({"type": line.verdict} if kind != "skipped" else {})
        ET.SubElement(case, kind, words).text = _clean(line.text) if kind != "skipped" else None


def _count(lines: Sequence[GateLine | LimitLine], kind: str) -> str:
    return str(sum(_KINDS.get(line.verdict) == kind for line in lines))


def _clean(text: str) -> str:
    """Leave out what XML cannot hold."""
    return _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text)


_COLUMNS = (
    "target", "workload", "metric", "baseline", "candidate", "change (interval)", "allowed", "detectable", "pairs",
    "verdict",
)  # fmt: skip
_LIMIT_COLUMNS = ("target", "workload", "metric", "figure (interval)", "limit", "trials", "verdict")


def to_markdown(gate: Gate, comment: str | None = None) -> str:
    """Return a gate as Markdown text.

    Args:
        gate: what was found.
        comment: name of the comment that this text is, by which the next one finds it (`reports.gate.comment`).
    """
    head = "" if comment is None else f"{marker(comment)}\n"
    return head + "\n".join(_lines(gate)) + "\n"


def method(gate: Gate) -> str:
    """Return how it was decided, in a few sentences."""
    compared = gate.baseline is not None and bool(gate.lines)
    said = [*([_comparing(gate)] if compared else []), *([_limiting(gate)] if gate.limits else [])]
    return " ".join(said) or "Nothing was compared."


def _limiting(gate: Gate) -> str:
    return (
        f"Limits: the geometric mean of {gate.pairs} trials a row, and Student's t on logarithms. A row at its limit"
        f" fails in at most {percent(gate.alarm)} of runs, over all limits; one beyond it passes in"
        f" {percent(gate.miss)}."
    )


def _comparing(gate: Gate) -> str:
    how = (
        f"{gate.pairs} pairs a row, both sides in turn on one host"
        if gate.paired
        else f"stored results, {gate.pairs} trials a row"
    )
    known = [f"{name} {percent(share)}" for name, share in gate.noise_floor.items()]
    floor = f" Noise floor of the host: {listed(known)}." if known else " The host's noise floor is not known."
    return (
        f"{how[0].upper()}{how[1:]}. Student's t on logarithms decides. Two equal sides give a regression in at most"
        f" {percent(gate.alarm)} of gates"
        f" (Holm over all lines); what is worse than its limit passes in {percent(gate.miss)} of gates;"
        f" a change of the size `detectable` is found in {percent(gate.power)}.{floor}"
    )


def _lines(gate: Gate) -> Iterator[str]:
    yield f"**{escaped(gate.sentence)}**"
    yield ""
    if gate.lines:
        yield from _table(_COLUMNS, 6, (_cells(line) for line in gate.lines))
    if gate.limits:
        yield from _table(_LIMIT_COLUMNS, 3, (_limit_cells(line) for line in gate.limits))
    yield escaped(method(gate)).replace("\\`", "`")
    if gate.remarks:
        yield ""
        yield from (f"- {escaped(remark)}" for remark in gate.remarks)
    yield ""
    if gate.baseline is None:
        yield f"Run: {escaped(gate.candidate)}."
    else:
        yield f"Baseline: {escaped(gate.baseline)}. Candidate: {escaped(gate.candidate)}."
    yield f"Host: {escaped(' / '.join(gate.host_classes))}. Results: {listed([f'`{one}`' for one in gate.results])}."


def _table(head: Sequence[str], numbers: int, rows: Iterable[Iterable[str]]) -> Iterator[str]:
    """Return a table whose last column, and first three, are words, and `numbers` between them figures."""
    yield "| " + " | ".join(head) + " |"
    yield "|---|---|---|" + "---:|" * numbers + "---|"
    for row in rows:
        yield "| " + " | ".join(map(escaped, row)) + " |"
    yield ""


def _cells(line: GateLine) -> Iterator[str]:
    yield from (line.target, line.workload, line.metric)
    yield from (figure(line, line.baseline), figure(line, line.candidate))
    yield change(line)
    yield allowed(line)
    yield percent(line.detectable)
    yield f"{line.n} of {line.planned}"
    needed = f" (about {line.needed} pairs would decide)" if line.needed is not None else ""
    second = f" (signed-rank: {line.second.verdict})" if line.second is not None and line.disputed else ""
    yield f"{line.verdict}{needed}{second}"


def _limit_cells(line: LimitLine) -> Iterator[str]:
    yield from (line.target, line.workload, line.metric)
    yield limited(line)
    yield limit_of(line)
    yield f"{line.n} of {line.planned}"
    needed = f" (about {line.needed} trials would decide)" if line.needed is not None else ""
    yield f"{line.verdict}{needed}"
