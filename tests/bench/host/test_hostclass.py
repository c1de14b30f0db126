"""Host classes: what sets hosts apart, and what does not."""

import pytest

from bench.host.hostclass import host_class

FACTS = {
    "cpu": "Example CPU  @ 2.50GHz",
    "cpus": "8",
    "memory": "15.6 GiB",
    "kernel": "Linux 6.1.0-9-amd64",
    "virtualisation": "kvm",
}


def test_a_class_reads_as_people_would_say_it() -> None:
    """Processor, number, memory to a power of two, major version of the kernel, kind of machine."""
    assert host_class(FACTS) == "Example CPU @ 2.50GHz × 8, 16 GiB, Linux 6, kvm"


@pytest.mark.parametrize(
    "other",
    [{"kernel": "Linux 6.12.3"}, {"memory": "16.4 GiB"}, {"python": "CPython 3.13"}, {"file system of results": "xfs"}],
)
def test_what_does_not_matter_makes_no_class(other: dict[str, str]) -> None:
    """Point releases of a kernel, memory kept by firmware and what only clients see leave the class as it is."""
    assert host_class(FACTS | other) == host_class(FACTS)


@pytest.mark.parametrize(
    "other",
    [{"cpu": "Other CPU"}, {"cpus": "4"}, {"memory": "31.2 GiB"}, {"kernel": "Linux 7.0"}, {"virtualisation": "none"}],
)
def test_what_matters_makes_another_class(other: dict[str, str]) -> None:
    """Another processor, number of them, memory, kernel or kind of machine."""
    assert host_class(FACTS | other) != host_class(FACTS)


def test_missing_facts_are_named() -> None:
    """A record without facts has a class too, which says so."""
    assert host_class({}) == "unknown × unknown, unknown memory, unknown kernel, unknown"
    assert host_class({"memory": "0 GiB", "kernel": "6.1"}) == "unknown × unknown, unknown memory, 6, unknown"


def test_an_unusual_clock_makes_a_class() -> None:
    """Figures by another clock are not comparable; the usual one goes without saying, so that old classes stay."""
    assert host_class(FACTS | {"clock source": "tsc"}) == host_class(FACTS)
    assert host_class(FACTS | {"clock source": "hpet"}) == f"{host_class(FACTS)}, clock hpet"
