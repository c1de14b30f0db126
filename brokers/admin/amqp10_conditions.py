"""What a broker says over AMQP 1.0 when it refuses: conditions (2.8.14-2.8.18) and outcomes (3.4), in words."""

from proton import Condition, Delivery

from brokers.admin.base import AdminError


class RefusedError(AdminError):
    """The broker refused a link, a session or a message.

    Attributes:
        condition: the symbol of the error (2.8.14-2.8.18), such as `amqp:not-found`; or nothing.
    """

    def __init__(self, message: str, condition: str = "") -> None:
        """Take the words for people and the symbol."""
        super().__init__(message)
        self.condition = condition


def refused(condition: Condition | None) -> RefusedError:
    """Return the error for a condition that the broker gave (2.8.14)."""
    name = "" if condition is None else str(condition.name)
    return RefusedError(f"the broker refused: {condition_words(condition)}", name)


def condition_words(condition: Condition | None) -> str:
    """Return a condition as `name: description`."""
    if condition is None:
        return "no reason given"
    return f"{condition.name}: {condition.description}" if condition.description else str(condition.name)


def outcome_words(delivery: Delivery) -> str:
    """Return how a delivery ended that was not accepted (3.4)."""
    # Proton gives a number where it has no name for a state.
    name = str(getattr(delivery.remote_state, "name", delivery.remote_state)).lower()
    return f"{name}: {condition_words(delivery.remote.condition)}" if delivery.remote.condition else name
