"""What a workload asks is compared with what a broker allows: field, value, limit and remedy stand in one sentence."""

import pytest

from brokers.admin.admission import Admission

SMALLER = "make messages smaller, or raise that limit of the broker"

SEVEN = (
    "8: over AMQP 0-9-1 the broker takes 7 channels a connection (channel-max of connection.tune), one for each lane:"
    " use 7 at most, or raise that limit of the broker"
)
FOUR_KIB = (
    "4 KiB: over AMQP 1.0 the broker takes messages of 4 KiB at most, what encloses a body included (max-message-size"
    f" of its attach): {SMALLER}"
)


@pytest.mark.parametrize(
    ("found", "faults"),
    [
        (Admission("amqp091"), []),
        (Admission("amqp091", channels=8, refused_size=4097, size_words="406"), []),
        (
            Admission("amqp091", channels=7),
            [("workloads.w.lanes_per_connection", SEVEN)],
        ),
        (
            Admission("amqp091", refused_size=4096, size_words="406"),
            [
                (
                    "workloads.w.size",
                    f"4 KiB: over AMQP 0-9-1 the broker refuses a message of that size (406): {SMALLER}",
                )
            ],
        ),
        (
            Admission("amqp091", refused_size=100, size_words="406"),
            [("workloads.w.size", f"4 KiB: over AMQP 0-9-1 the broker refuses 100 B already (406): {SMALLER}")],
        ),
        (Admission("amqp10", message=4101), []),
        (
            Admission("amqp10", message=4096),  # the body alone would fit
            [("workloads.w.size", FOUR_KIB)],
        ),
    ],
)
def test_a_fault_names_all_that_is_needed(found: Admission, faults: list[tuple[str, str]]) -> None:
    """For bodies of 4 KiB and 8 lanes a connection."""
    assert list(found.faults("w", 4096, 8)) == faults
