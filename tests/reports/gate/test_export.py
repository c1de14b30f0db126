"""What is written of a gate: annotations, JUnit XML as Ant's schema has it, and Markdown whose tables are whole."""

import re
from xml.etree import ElementTree as ET

from reports.gate.export import annotations, to_junit, to_markdown
from reports.gate.result import SecondLook
from tests.brokers.test_plain_text import EVIL
from tests.reports.gate.made import made_gate, made_limit, made_line


def test_each_line_that_did_not_pass_is_told() -> None:
    """Errors for regressions and invalid rows, warnings for what is open, nothing for what passed or is told."""
    lines = [made_line(one) for one in ("pass", "told", "regression", "undecided", "invalid", "suspect")]
    found = [*annotations(made_gate("regression", *lines))]
    assert [one.split(" ")[0] for one in found] == ["::error", "::error", "::warning", "::error", "::warning"]
    assert [*annotations(made_gate("pass"))] == ["::notice title=bench gate::Pass: as it is."]


def test_an_invalid_gate_is_told_once() -> None:
    """Eleven lines of one row, and another row: the verdict says it all. Beside a regression a row is told once."""
    lines = [made_line("invalid", metric=f"p{n}") for n in range(11)] + [made_line("undecided", workload="other")]
    assert len([*annotations(made_gate("invalid", *lines))]) == 1
    found = [*annotations(made_gate("regression", *lines, made_line("regression", workload="other")))]
    assert [one.partition("::")[2].partition("::")[0] for one in found] == [
        "error title=bench gate",
        "error title=invalid%3A rabbit%2C steady",
        "warning title=undecided%3A p99 of rabbit%2C other",
        "error title=regression%3A p99 of rabbit%2C other",
    ]


def test_limits_are_told_like_lines() -> None:
    """One that is not kept is an error and a failure, an unsure one a warning, in every kind of text."""
    gate = made_gate(
        "fail", made_line(), limits=(made_limit(), made_limit("fail", metric="p50"), made_limit("undecided"))
    )
    assert [one.split(" ")[0] for one in annotations(gate)] == ["::error", "::error", "::warning"]
    root = ET.fromstring(to_junit(gate))  # noqa: S314  (our own)
    assert broken(root) == []
    cases = {case.attrib["name"]: [end.tag for end in case] for case in root.iter("testcase")}
    assert cases == {"p99": [], "p99 at most 5.00 ms": ["skipped"], "p50 at most 5.00 ms": ["failure"]}
    rows = [line for line in to_markdown(gate).splitlines() if "at most" in line]
    assert rows[0] == "| rabbit | steady | p99 | 4.00 ms (3.80 … 4.20) | at most 5.00 ms | 10 of 10 | pass |"
    assert rows[2].endswith("| undecided (about 12 trials would decide) |")


def test_limits_alone_are_a_gate() -> None:
    """Without a baseline there is no table of changes, and the method is that of limits."""
    text = to_markdown(made_gate(limits=(made_limit(),), baseline=None).model_copy(update={"lines": ()}))
    assert "change (interval)" not in text
    assert "A row at its limit fails in at most 1 % of runs" in text
    assert "Run: b." in text


def test_another_opinion_is_told_where_it_is_another() -> None:
    """As a warning beside a pass, in the line's cell; nothing where it agrees."""
    for verdict, told in (("pass", False), ("regression", True)):
        second = SecondLook(verdict=verdict, ratio=1.2, low=None, high=1.3)  # type: ignore[arg-type]
        gate = made_gate("pass", made_line("pass", second=second))
        warned = [one for one in annotations(gate) if one.startswith("::warning title=second opinion")]
        assert bool(warned) is told
        assert ("| pass (signed-rank: regression) |" in to_markdown(gate)) is told


def test_text_is_escaped() -> None:
    """A text of several lines stays one command; colons and commas end no title."""
    line = made_line("regression", target="a,b", text="50 %\nmore")
    [_, told] = annotations(made_gate("regression", line))
    assert told == "::error title=regression%3A p99 of a%2Cb%2C steady::50 %25%0Amore"


def test_text_of_others_begins_no_command_and_moves_no_cursor() -> None:
    """In annotations, Markdown and JUnit XML alike."""
    line = made_line("regression", target=EVIL, text=EVIL)
    gate = made_gate("regression", line, sentence=EVIL, remarks=(EVIL,))
    for told in annotations(gate):
        assert told.startswith("::error title=")
        assert told.isprintable()
    written = to_markdown(gate)
    assert all(one.isprintable() for one in written.split("\n"))
    assert not [one for one in written.split("\n") if one.startswith("::")]
    ET.fromstring(to_junit(gate))  # noqa: S314  (we wrote it)
    assert not set("\x1b\x07\ud800") & set(to_junit(gate))


# Element -> (required attributes, optional ones, children in their order: name, least, most).
RULES: dict[str, tuple[set[str], set[str], list[tuple[str, int, int]]]] = {
    "testsuites": (set(), set(), [("testsuite", 0, 99)]),
    "testsuite": (
        {"id", "package", "name", "timestamp", "hostname", "tests", "failures", "errors", "time"},
        {"skipped"},
        [("properties", 1, 1), ("testcase", 0, 999), ("system-out", 1, 1), ("system-err", 1, 1)],
    ),
    "properties": (set(), set(), [("property", 0, 99)]),
    "property": ({"name", "value"}, set(), []),
    "testcase": ({"name", "classname", "time"}, set(), [("skipped", 0, 1), ("error", 0, 1), ("failure", 0, 1)]),
    "skipped": (set(), {"message"}, []),
    "error": ({"type"}, {"message"}, []),
    "failure": ({"type"}, {"message"}, []),
    "system-out": (set(), set(), []),
    "system-err": (set(), set(), []),
}
NUMBERS = {"id", "tests", "failures", "errors", "skipped"}
PATTERNS = {"time": r"\d+(\.\d+)?", "timestamp": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d"}


def broken(element: ET.Element) -> list[str]:
    """Return every rule that an element or one below it breaks."""
    required, optional, children = RULES[element.tag]
    found = [f"{element.tag} lacks {name}" for name in required - element.attrib.keys()]
    found += [f"{element.tag} has {name}" for name in element.attrib.keys() - required - optional]
    patterns = dict.fromkeys(NUMBERS, r"\d+") | PATTERNS
    found += [
        f"{name} = {value}"
        for name, value in element.attrib.items()
        if not re.fullmatch(patterns.get(name, r"(?s:.*)"), value)
    ]
    order = [child.tag for child in element]
    allowed = [name for name, _, _ in children]
    if set(order) - set(allowed) or order != sorted(order, key=allowed.index):
        found.append(f"{element.tag}: children {order}")
    found += [f"{element.tag}: {name}" for name, least, most in children if not least <= order.count(name) <= most]
    if element.tag == "testcase" and len(order) > 1:
        found.append("testcase has two ends")
    return found + [fault for child in element for fault in broken(child)]


def test_it_keeps_the_schema() -> None:
    """With every kind of line, over two rows: required attributes, order of children, whole counts."""
    verdicts = ("pass", "regression", "suspect", "undecided", "invalid", "told")
    lines = [made_line(one, target=target, metric=f"p{n}") for target in "ab" for n, one in enumerate(verdicts)]
    root = ET.fromstring(to_junit(made_gate("regression", *lines), "host", 12.5))  # noqa: S314  (our own)
    assert broken(root) == []
    assert [suite.attrib["name"] for suite in root] == ["a.steady", "b.steady"]
    for number, suite in enumerate(root):
        counts = {name: suite.attrib[name] for name in ("id", "tests", "failures", "errors", "skipped", "time")}
        assert counts == {
            "id": str(number),
            "tests": "6",
            "failures": "1",
            "errors": "1",
            "skipped": "3",
            "time": "6.250",
        }
        assert len(suite.findall("testcase")) == 6
        ends = {case.attrib["name"]: [end.tag for end in case] for case in suite.findall("testcase")}
        expected = ([], ["failure"], ["skipped"], ["skipped"], ["error"], ["skipped"])
        assert ends == {f"p{n}": end for n, end in enumerate(expected)}


def test_the_rules_object() -> None:
    """The table above sees a missing attribute, a wrong order and two ends of a case."""
    text = to_junit(made_gate("regression"))
    assert broken(ET.fromstring(text.replace(' hostname="localhost"', ""))) == ["testsuite lacks hostname"]  # noqa: S314
    twice = text.replace("</testcase>", '<error type="x" /></testcase>')
    assert broken(ET.fromstring(twice))  # noqa: S314
    assert broken(ET.fromstring(text.replace("T12:00:00", "T12:00:00Z")))  # noqa: S314


def test_any_text_makes_sound_xml() -> None:
    """Markup and control characters of a broker's words do not break the file."""
    line = made_line("invalid", text='<a> & "b"\x00\x1b[1m')
    root = ET.fromstring(to_junit(made_gate("invalid", line, sentence="]]>\x08")))  # noqa: S314
    error = root.find("testsuite/testcase/error")
    assert error is not None
    assert error.text == '<a> & "b"\ufffd\ufffd[1m'


def test_the_verdict_comes_first_and_the_table_is_whole() -> None:
    """The first line is the sentence; every row of the table has as many cells as its head."""
    lines = [made_line(), made_line("undecided", workload="a|b"), made_line("invalid", ratio=None, low=None, high=None)]
    text = to_markdown(made_gate("invalid", *lines))
    first, _, *rest = text.splitlines()
    assert first == "**Invalid: as it is.**"
    rows = [line for line in rest if line.startswith("|")]
    assert len(rows) == 2 + len(lines)
    assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) == 1
    assert "+2 % (+0.1 % … +4 %)" in rows[2]
    assert "about 24 pairs would decide" in rows[3]


def test_errors_are_stated() -> None:
    """The chances of a false alarm and of a miss, and the smallest detectable change, stand in every gate."""
    text = to_markdown(made_gate(noise_floor={"p50 response": 0.03, "broker CPU": 0.2}))
    assert "in at most 1 % of gates" in text
    assert "passes in 5 %" in text
    assert "| 7 % |" in text
    assert "Noise floor of the host: p50 response 3 % and broker CPU 20 %" in text
    assert "noise floor is not known" in to_markdown(made_gate())
    assert "Stored results, 10 trials a row" in to_markdown(made_gate(paired=False))
