"""Budgets: every fault at once, the closest entry wins, the limit is the largest of what is given."""

from pathlib import Path

import pytest

from reports.gate.budget import Budget, BudgetError, Limit, read_budget


def written(folder: Path, text: str) -> Path:
    """Write a budget."""
    path = folder / "budget.toml"
    path.write_text(text)
    return path


def test_the_built_in_budget_is_sound() -> None:
    """It has a limit for latency, throughput, cost and losses, each metric once."""
    names = [limit.metric for limit in read_budget(None).limits]
    assert {"p50", "p99", "achieved_rate", "broker_cpu", "lost"} <= set(names)
    assert len(names) == len(set(names))


def test_every_fault_comes_at_once(tmp_path: Path) -> None:
    """Five faults, five lines, each with its field, what was given and what is allowed."""
    text = """
    [[limits]]
    metric = "p98"
    [[limits]]
    metric = "p99"
    relevent = 0.1
    [[limits]]
    metric = "p50"
    relevant = 5
    [[limits]]
    metric = "achieved_rate"
    direction = "lower"
    [[limits]]
    relevant = 0.1
    """
    with pytest.raises(BudgetError) as caught:
        read_budget(written(tmp_path, text))
    told = "\n".join(caught.value.faults)
    assert len(caught.value.faults) == 5
    assert "limits.0.metric: 'p98' is no metric: did you mean 'p99" in told
    assert "limits.1.relevent: no such field: did you mean 'relevant'?" in told
    assert "limits.2.relevant: 5: input should be less than 1" in told
    assert "limits.3: direction = 'lower': of achieved_rate, higher is better" in told
    assert "limits.4.metric: missing" in told


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("limits = 3", "limits: 3: "),
        ("limits = []", "at least 1 item"),
        ("[[limit]]\nmetric = 'p50'", "no such field: did you mean 'limits'?"),
        ("[[limits]\n", "no valid TOML"),
        ("[[limits]]\nmetric = 'lost'\nrelevant = 0.1", "only `allowed`"),
        ("[[limits]]\nmetric = 'p50'\nallowed = 20", "below 1"),
        ("[[limits]]\nmetric = 'p50'\n[[limits]]\nmetric = 'p50'", "p50 stands twice for target any, workload any"),
    ],
)
def test_a_bad_budget_is_refused(tmp_path: Path, text: str, fault: str) -> None:
    """Whatever is wrong with a file is told in words."""
    with pytest.raises(BudgetError) as caught:
        read_budget(written(tmp_path, text))
    assert any(fault in one for one in caught.value.faults), caught.value.faults


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    """A missing file is a fault of the option."""
    with pytest.raises(BudgetError, match="cannot be read"):
        read_budget(tmp_path / "none.toml")


def test_the_closest_entry_applies() -> None:
    """Target and workload together before the target, that before the workload, that before none."""
    entries = [(None, None), (None, "w"), ("t", None), ("t", "w")]
    limits = tuple(Limit(metric="p50", target=t, workload=w) for t, w in entries)
    budget = Budget(limits=limits)
    for target, workload in (("t", "w"), ("t", "x"), ("u", "w"), ("u", "x")):
        [found] = budget.applying(target, workload)
        assert (found.target or "u", found.workload or "x") == (target, workload)
    assert [*budget.strangers({"t"}, {"w"})] == []
    assert len([*budget.strangers({"u"}, {"x"})]) == 4


def test_the_threshold_is_the_largest() -> None:
    """Of relevant (5 % by default), allowed and the noise floor; a count is what is allowed."""
    assert Limit(metric="p50").threshold(None) == 0.05
    assert Limit(metric="p50", allowed=0.2).threshold(0.1) == 0.2
    assert Limit(metric="p50", relevant=0.02).threshold(0.03) == 0.03
    assert Limit(metric="lost", allowed=2).threshold(0.03) == 2
