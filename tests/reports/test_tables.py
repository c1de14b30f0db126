"""Which planned trials have no result: every one is said, none twice, in few lines."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from reports.caveats import caveats
from reports.summary import Absent
from reports.tables import ledger, missing_trials
from tests.reports.in_memory import made_tables


def absent(target: str, repetition: int, why: str = "not run", run: str = "one") -> Absent:
    """Return a trial without a result."""
    return Absent(run_id=run, target=target, workload="steady", repetition=repetition, why=why)


def test_trials_of_a_row_are_one_line_a_reason() -> None:
    """Counted from 1 as the plan prints them; neighbours are a span; another reason is another line."""
    rows = [absent("b", 9), absent("a", 1), *(absent("a", k) for k in (4, 5, 6)), absent("a", 3, "cannot be read")]
    assert [(missing.target, missing.repetitions, missing.why) for missing in missing_trials(rows)] == [
        ("b", "10", "not run"),
        ("a", "2, 5–7", "not run"),
        ("a", "4", "cannot be read"),
    ]


def test_runs_have_lines_of_their_own() -> None:
    """The same repetition that two pooled runs lack is said of both."""
    found = list(missing_trials([absent("a", 2), absent("a", 2, run="other")]))
    assert [(missing.run_id, missing.repetitions) for missing in found] == [("one", "3"), ("other", "3")]


@given(st.sets(st.integers(0, 40), min_size=1))
def test_spans_say_each_repetition_once(repetitions: set[int]) -> None:
    """What is read out of the spans is what went in."""
    [missing] = missing_trials([absent("a", k) for k in repetitions])
    said: list[int] = []
    for part in missing.repetitions.split(", "):
        first, _, last = part.partition("–")
        said += range(int(first), int(last or first) + 1)
    assert said == sorted(k + 1 for k in repetitions)


def test_a_ledger_that_is_not_whole_is_unknown() -> None:
    """A worker that handed over nothing: the trial neither balances nor is our counting called wrong."""

    def lose(trial: dict[str, Any]) -> dict[str, Any]:
        if trial["repetition"] == 0:
            trial["ledger"] |= {"missing": 1, "balanced": False}
        return trial

    data = made_tables(repetitions=3, seconds=1, closed_loop=False, change=lose)
    for row in ledger(data):
        assert (row.trials, row.missing, row.unknown_trials, row.balanced) == (3, 1, 1, 2)
    assert not [line for line in caveats(data, 4) if "does not balance" in line]
