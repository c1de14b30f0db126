"""Markdown of a gate: the verdict first, then one table whose rows are whole."""

import re

from reports.gate.markdown import to_markdown
from tests.reports.gate.made import made_gate, made_line


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
