"""How hosts are read and split, on topologies given as data."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from bench.host.cores import Cpu, online, read_cpus, split


def _host(cores: Sequence[Sequence[int]], caches: Sequence[Sequence[int]] = (), nodes: int = 1) -> tuple[Cpu, ...]:
    """Return a host: the CPUs of each core; those of each last cache (by default one for all), dealt to nodes."""
    every = sorted(number for core in cores for number in core)
    of_core = {number: tuple(core) for core in cores for number in core}
    groups = [tuple(group) for group in caches or [every]]
    of_cache = {number: (place, group) for place, group in enumerate(groups) for number in group}
    return tuple(
        Cpu(number, of_core[number], of_cache[number][1], of_cache[number][0] * nodes // len(groups))
        for number in every
    )


FOUR = _host([[0], [1], [2], [3]])
SMT = _host([[0, 4], [1, 5], [2, 6], [3, 7]])
TWO_SOCKETS = _host(
    [[0, 8], [2, 10], [4, 12], [6, 14], [1, 9], [3, 11], [5, 13], [7, 15]],
    [[0, 2, 4, 6, 8, 10, 12, 14], [1, 3, 5, 7, 9, 11, 13, 15]],
    nodes=2,
)
SMALL_CACHES = _host([[n] for n in range(8)], [[0, 1], [2, 3], [4, 5], [6, 7]])


@pytest.mark.parametrize(
    ("host", "wanted", "brokers", "clients"),
    [
        (FOUR, 2, (2, 3), (0, 1)),
        (FOUR, 1, (3,), (0, 1, 2)),
        (SMT, 2, (3, 7), (0, 1, 2, 4, 5, 6)),
        (SMT, 4, (2, 3, 6, 7), (0, 1, 4, 5)),
        # The sibling that is left over works for nobody.
        (SMT, 3, (3, 6, 7), (0, 1, 4, 5)),
        # Both within one socket, as long as that has enough.
        (TWO_SOCKETS, 2, (6, 14), (0, 2, 4, 8, 10, 12)),
        (TWO_SOCKETS, 4, (4, 6, 12, 14), (0, 2, 8, 10)),
        (TWO_SOCKETS, 8, (1, 3, 5, 7, 9, 11, 13, 15), (0, 2, 4, 6, 8, 10, 12, 14)),
        # A broker keeps to one cache where clients cannot share it.
        (SMALL_CACHES, 2, (6, 7), (0, 1, 2, 3, 4, 5)),
    ],
)
def test_a_host_is_split_by_whole_cores(
    host: tuple[Cpu, ...], wanted: int, brokers: tuple[int, ...], clients: tuple[int, ...]
) -> None:
    """One cache is preferred, then one memory node."""
    found = split(host, wanted)
    assert (found.brokers, found.clients) == (brokers, clients)


@pytest.mark.parametrize("host", [FOUR, SMT, TWO_SOCKETS, SMALL_CACHES])
def test_no_core_has_some_of_both(host: tuple[Cpu, ...]) -> None:
    """For any number that can be had; who gets none of a core's threads is no matter."""
    cores = {one.number: one.core for one in host}
    for wanted in range(1, len(host) - 1):
        try:
            found = split(host, wanted)
        except ValueError:
            continue
        assert len(found.brokers) == wanted
        assert len(found.clients) >= 2
        assert not {cores[one] for one in found.brokers} & {cores[one] for one in found.clients}


def test_a_small_host_is_refused() -> None:
    """In one sentence that says what to do."""
    with pytest.raises(ValueError, match=r"^3 CPUs can be used here, and 4 are needed .*: leave it out, or run on a"):
        split(FOUR[:3], 1)


def test_brokers_that_want_too_much_are_refused() -> None:
    """Two CPUs are for clients, as whole cores."""
    with pytest.raises(ValueError, match="lower `cpus`"):
        split(SMT, 7)


def _written(folder: Path) -> Path:
    """Write four CPUs as the kernel would: two cores with two threads each, one last cache, node 1."""
    (folder / "online").parent.mkdir(exist_ok=True)
    (folder / "online").write_text("0-3\n")
    for number in range(4):
        cpu = folder / f"cpu{number}"
        (cpu / "topology").mkdir(parents=True)
        (cpu / "topology" / "thread_siblings_list").write_text(f"{number % 2},{number % 2 + 2}\n")
        (cpu / "topology" / "core_siblings_list").write_text("0-3\n")
        for index, shared in ((0, f"{number % 2},{number % 2 + 2}"), (3, "0-3"), (2, "0,2")):
            (cpu / "cache" / f"index{index}").mkdir(parents=True)
            (cpu / "cache" / f"index{index}" / "shared_cpu_list").write_text(f"{shared}\n")
        (cpu / "node1").mkdir()
    return folder


def test_the_kernel_tells_of_cores_caches_and_nodes(tmp_path: Path) -> None:
    """The last cache is that of the highest index."""
    found = read_cpus(_written(tmp_path))
    assert found == tuple(Cpu(n, (n % 2, n % 2 + 2), (0, 1, 2, 3), 1) for n in range(4))
    assert online(tmp_path) == (0, 1, 2, 3)


def test_what_is_not_told_is_alone(tmp_path: Path) -> None:
    """As in some virtual machines: a core each, one package."""
    (tmp_path / "online").write_text("0-1\n")
    assert read_cpus(tmp_path) == (Cpu(0, (0,), (0, 1)), Cpu(1, (1,), (0, 1)))


def test_this_host_can_be_read() -> None:
    """Each CPU is of its own core and cache."""
    assert all(one.number in one.core and one.number in one.cache for one in read_cpus())
