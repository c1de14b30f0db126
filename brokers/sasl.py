"""SASL over AMQP 0-9-1, as pika wants it: one class of credentials a mechanism. Pure."""

import pika
from pika.credentials import ExternalCredentials

from brokers.endpoint import Sasl


class AnonymousCredentials(ExternalCredentials):  # type: ignore[misc]
    """SASL ANONYMOUS (RFC 4505), which pika lacks, with an empty trace.

    pika takes instances of its own two classes only, hence the parent, which has no state.
    """

    TYPE = "ANONYMOUS"

    def response_for(self, start: pika.spec.Connection.Start) -> tuple[str | None, bytes | None]:
        """Return mechanism and response; None twice where the broker does not offer it."""
        offered = start.mechanisms
        names = offered.split() if isinstance(offered, str) else offered.decode().split()
        return (self.TYPE, b"") if self.TYPE in names else (None, None)


def credentials(sasl: Sasl, username: str, password: str) -> pika.PlainCredentials | ExternalCredentials:
    """Return what pika logs in with; only `plain` uses user name and password."""
    if sasl == "external":
        return ExternalCredentials()
    if sasl == "anonymous":
        return AnonymousCredentials()
    return pika.PlainCredentials(username, password)
