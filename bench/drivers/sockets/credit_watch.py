"""How long a sender over AMQP 1.0 had no credit or no session window. Pure.

A broker holds senders back in no other way (part 2, 2.5.6 and 2.6.7). In an alarm RabbitMQ closes the window.
"""

COUNTER = "longest_without_credit_ns"
"""How a driver's counter of that is named."""


class CreditWatch:
    """Notes the longest time without credit.

    Attributes:
        since_ns: when it was first seen to have none; None while it has some.
        longest_ns: the longest time so far.
    """

    def __init__(self) -> None:
        """Begin with credit."""
        self.since_ns: int | None = None
        self.longest_ns = 0

    def look(self, now_ns: int, *, credit: bool) -> None:
        """Note whether there is credit now."""
        # A time that nobody looked at had credit, as far as anybody knows.
        if self.since_ns is not None and not credit:
            self.longest_ns = max(self.longest_ns, now_ns - self.since_ns)
        self.since_ns = None if credit else now_ns if self.since_ns is None else self.since_ns

    def counts(self) -> dict[str, int]:
        """Return the longest time, ns, by the counter's name; nothing where there always was credit."""
        return {COUNTER: self.longest_ns} if self.longest_ns else {}
