"""What numbers do not show follows from what the run recorded: nothing that was measured is said to be missing."""

from typing import Any

from tests.reports.in_memory import made_summary


def said(transport: str, sasl: str, producers: int, lanes: int = 1) -> str:
    """Return what is not shown by a run whose brokers were spoken to in that way."""

    def trial(fields: dict[str, Any]) -> dict[str, Any]:
        fields["broker"]["reported"] |= {"transport": transport, "sasl": sasl}
        return fields

    def run(fields: dict[str, Any]) -> dict[str, Any]:
        for workload in fields["scenario"]["workloads"]:
            workload |= {"producers": producers, "consumers": producers, "lanes_per_connection": lanes}
        return fields

    return "\n".join(made_summary(change=trial, change_run=run).not_shown)


def test_a_run_over_plain_tcp_shows_no_tls() -> None:
    """Nor other logins, nor more connections than it had."""
    found = said("tcp", "plain", 1)
    assert "TLS: every connection was plain TCP." in found
    assert "Other ways to log in" in found
    assert "more than 2 connections at once" in found


def test_a_run_over_tls_with_certificates_shows_both() -> None:
    """A page that says otherwise contradicts itself."""
    found = said("tls", "external", 1)
    assert "every connection was encrypted" in found
    assert "TLS: every" not in found
    assert "log in" not in found


def test_a_run_of_many_connections_says_how_many() -> None:
    """Lanes that share a connection count as one."""
    assert "more than 4,000 connections at once" in said("tcp", "plain", 2_000)
    assert "more than 40 connections at once" in said("tcp", "plain", 2_000, 100)
