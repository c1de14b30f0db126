"""Which planned trials have no result: every one is said, none twice, in few lines."""

from hypothesis import given
from hypothesis import strategies as st

from reports.summary import Absent
from reports.tables import missing_trials


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
