"""docs/robustness-brokers.md says of each way to misbehave how it ends."""

import re
from pathlib import Path

import pytest

from tests.bench.drivers.hostile import expected091, expected10
from tests.bench.drivers.hostile.expected091 import COMPLETED, LOST, REFUSED, STALLED, Ending

PAGE = (Path(__file__).parents[4] / "docs/robustness-brokers.md").read_text()
NAMES = {COMPLETED: "completed", STALLED: "stalled", LOST: "disconnected", REFUSED: "refused"}
ROW = re.compile(r"^\| `([^`]+)` \| ([^|]+) \| (\w+) \| (.*) \|$", re.MULTILINE)


@pytest.mark.parametrize(
    ("title", "endings", "following"),
    [
        ("## AMQP 0-9-1", expected091.ENDINGS, "Some drivers end"),
        ("## AMQP 1.0", expected10.ENDINGS, "Proton passes over"),
    ],
)
def test_the_table_is_what_tests_expect(title: str, endings: dict[str, Ending], following: str) -> None:
    """Each mode has a row, with how it ends and what is counted."""
    table = PAGE.split(f"\n{title}\n")[1].split(f"\n{following}")[0]
    rows = {mode: (outcome, said) for mode, _, outcome, said in ROW.findall(table)}
    assert {mode: outcome for mode, (outcome, _) in rows.items()} == {
        mode: NAMES[ending.outcome] for mode, ending in endings.items()
    }
    for mode, ending in endings.items():
        assert ending.counts in rows[mode][1]
