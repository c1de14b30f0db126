"""JUnit XML of a gate: one suite a target and workload, one case a metric.

As the schema of Ant's JUnit task has it, which Jenkins, GitLab and GitHub actions read. A
regression is a failure and an invalid row an error; what is suspect, undecided or only told
is skipped, with the reason, as it was not shown either way. The exit code tells those apart.
"""

import re
from collections.abc import Sequence
from xml.etree import ElementTree as ET

from reports.gate.result import Gate, GateLine

_KINDS = {"regression": "failure", "invalid": "error", "suspect": "skipped", "undecided": "skipped", "told": "skipped"}
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def to_junit(gate: Gate, host: str = "localhost", took_s: float = 0.0) -> str:
    """Return a gate as JUnit XML.

    Args:
        gate: what was found.
        host: name of this host.
        took_s: how long it took altogether.
    """
    root = ET.Element("testsuites")
    rows = list(dict.fromkeys((line.target, line.workload) for line in gate.lines))
    for number, (target, workload) in enumerate(rows):
        lines = [line for line in gate.lines if (line.target, line.workload) == (target, workload)]
        suite = ET.SubElement(
            root,
            "testsuite",
            {
                "id": str(number),
                "name": f"{target}.{workload}",
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
        for name, value in (("verdict", gate.verdict), ("baseline", gate.baseline), ("candidate", gate.candidate)):
            ET.SubElement(facts, "property", {"name": name, "value": _clean(value)})
        for line in lines:
            _case(suite, line)
        ET.SubElement(suite, "system-out").text = _clean(gate.sentence)
        ET.SubElement(suite, "system-err").text = _clean("\n".join(gate.remarks))
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _case(suite: ET.Element, line: GateLine) -> None:
    name = {"name": line.metric, "classname": f"{line.target}.{line.workload}", "time": "0"}
    case = ET.SubElement(suite, "testcase", name)
    kind = _KINDS.get(line.verdict)
    if kind is not None:
        words = {"message": _clean(line.text)} | ({"type": line.verdict} if kind != "skipped" else {})
        ET.SubElement(case, kind, words).text = _clean(line.text) if kind != "skipped" else None


def _count(lines: Sequence[GateLine], kind: str) -> str:
    return str(sum(_KINDS.get(line.verdict) == kind for line in lines))


def _clean(text: str) -> str:
    """Leave out what XML cannot hold."""
    return _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text)
