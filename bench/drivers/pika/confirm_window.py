"""Which messages of a 0-9-1 channel in confirm mode the broker has not yet settled. Pure.

The n-th message published on the channel has delivery tag n; basic.ack and basic.nack may
settle all up to a tag; basic.return comes before the ack of the message it returns
(https://www.rabbitmq.com/docs/confirms).
"""

from collections import Counter

from bench.drivers.base import Outcome


class ConfirmWindow:
    """Delivery tags in flight and the sequence numbers that go with them.

    Attributes:
        violations: what the broker said that it must not, counted by name; see `bench.drivers.base.VIOLATIONS`.
    """

    def __init__(self) -> None:
        """Begin as confirm.select does: the next tag is 1."""
        self.violations: Counter[str] = Counter()
        self._seq_of_tag: dict[int, int] = {}
        self._returned: set[int] = set()
        self._last_tag = 0
        self._oldest_tag = 1

    def __len__(self) -> int:
        """Return the number of messages in flight."""
        return len(self._seq_of_tag)

    def publish(self, seq: int) -> None:
        """Take in the next message."""
        self._last_tag += 1
        self._seq_of_tag[self._last_tag] = seq

    def give_back(self, seq: int) -> None:
        """Note that the broker returned a message; its ack is still to come."""
        self._returned.add(seq)

    def settle(self, tag: int, *, multiple: bool, outcome: Outcome) -> list[tuple[int, Outcome]]:
        """Return (seq, outcome) of what an ack or nack settles, in the order of publishing.

        A confirmed message that was returned has the outcome RETURNED. Tag 0 with
        `multiple` is all in flight (AMQP 0-9-1 reference, basic.ack). What is settled
        already, or was never published, is passed over and counted.
        """
        if tag > self._last_tag or (tag == 0 and not multiple):
            self.violations["confirms_beyond" if multiple else "confirms_never_sent"] += 1
        elif not multiple and tag not in self._seq_of_tag:
            self.violations["confirms_again"] += 1
        if multiple:
            last = min(tag or self._last_tag, self._last_tag)
            tags = range(self._oldest_tag, last + 1)
            seqs = [seq for t in tags if (seq := self._seq_of_tag.pop(t, None)) is not None]
            self._oldest_tag = max(self._oldest_tag, last + 1)
            if not seqs and 0 < tag <= self._last_tag:
                self.violations["confirms_again"] += 1
        else:
            only = self._seq_of_tag.pop(tag, None)
            seqs = [] if only is None else [only]
            if tag == self._oldest_tag <= self._last_tag:
                self._oldest_tag += 1
        if not self._returned:
            return [(seq, outcome) for seq in seqs]
        return [(seq, self._outcome(seq, outcome)) for seq in seqs]

    def _outcome(self, seq: int, said: Outcome) -> Outcome:
        if seq not in self._returned:
            return said
        self._returned.discard(seq)
        return Outcome.RETURNED if said is Outcome.CONFIRMED else said
