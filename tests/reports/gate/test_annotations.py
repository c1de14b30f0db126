"""GitHub annotations: one a line that did not pass, escaped as workflow commands want it."""

from reports.gate.annotations import annotations
from tests.reports.gate.made import made_gate, made_line


def test_each_line_that_did_not_pass_is_told() -> None:
    """Errors for regressions and invalid rows, warnings for what is open, nothing for what passed or is told."""
    lines = [made_line(one) for one in ("pass", "told", "regression", "undecided", "invalid", "suspect")]
    found = [*annotations(made_gate("regression", *lines))]
    assert [one.split(" ")[0] for one in found] == ["::error", "::error", "::warning", "::error", "::warning"]
    assert [*annotations(made_gate("pass"))] == ["::notice title=bench gate::Pass: as it is."]


def test_text_is_escaped() -> None:
    """A text of several lines stays one command; colons and commas end no title."""
    line = made_line("regression", target="a,b", text="50 %\nmore")
    [_, told] = annotations(made_gate("regression", line))
    assert told == "::error title=regression%3A p99 of a%2Cb%2C steady::50 %25%0Amore"
