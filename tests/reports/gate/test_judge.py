"""What estimates decide, and what all messages may keep them from deciding."""

from itertools import product

from bench.stats.noninferiority import Decision, Judgement
from reports.gate.judge import _agreed


def test_all_messages_can_only_undo_a_decision() -> None:
    """A pass against a regression, either way, is undecided; where all messages are undecided the estimate stands."""
    for mine, theirs in product(Judgement, Judgement):
        found = _agreed(Decision(mine, 10, 0.05, needed=12), Decision(theirs, 10, 0.05))
        stands = theirs in {mine, Judgement.UNDECIDED}
        assert found.outcome is (mine if stands else Judgement.UNDECIDED)
        assert found.needed == (12 if stands else None)
