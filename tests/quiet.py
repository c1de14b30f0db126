"""A watcher of runs that keeps quiet, remembers, and can interrupt."""

from bench.results.records import PlannedTrial, TrialRecord
from bench.run.trial import Live


class Quiet:
    """Remembers the trials that began; raises KeyboardInterrupt when one of them does."""

    def __init__(self, interrupt_at: int | None = None) -> None:
        """Interrupt as trial `interrupt_at` begins."""
        self.begun: list[int] = []
        self._interrupt_at = interrupt_at

    def say(self, text: str) -> None:
        """Hear nothing."""

    def begin(self, planned: PlannedTrial, number: int, of: int) -> None:  # noqa: ARG002  (the watcher's signature)
        """Remember that a trial began."""
        if planned.index == self._interrupt_at:
            raise KeyboardInterrupt
        self.begun.append(planned.index)

    def live(self, live: Live) -> None:
        """See nothing."""

    def end(self, record: TrialRecord) -> None:
        """Note nothing."""
