"""Which CPUs share a core, a cache or a memory node, and how a host is split between brokers and clients.

`read_cpus` looks at /sys/devices/system/cpu, whose files are described in
https://docs.kernel.org/admin-guide/cputopology.html and .../abi-testing.html; `split` is pure.
"""

import contextlib
import re
from collections.abc import Callable, Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from brokers.cpu_numbers import read, words

SYSTEM = Path("/sys/devices/system/cpu")
FEWEST = 4
"""CPUs that a host must have to be split."""
_FEWEST_CLIENTS = 2
"""For those who send and those who receive."""


@dataclass(frozen=True)
class Cpu:
    """One CPU, as the scheduler counts them: a core, or one of its threads.

    Attributes:
        number: of the CPU.
        core: the CPUs of its core, itself included.
        cache: the CPUs that share its last cache.
        node: its memory node.
    """

    number: int
    core: tuple[int, ...]
    cache: tuple[int, ...]
    node: int = 0


@dataclass(frozen=True)
class CpuSplit:
    """CPUs for brokers and for clients; no core has some of both."""

    brokers: tuple[int, ...]
    clients: tuple[int, ...]


def online(system: Path = SYSTEM) -> tuple[int, ...]:
    """Return the CPUs that are online.

    Raises:
        OSError, ValueError: the kernel does not tell.
    """
    return read((system / "online").read_text())


def read_cpus(system: Path = SYSTEM) -> tuple[Cpu, ...]:
    """Return the CPUs that are online; of what the kernel does not tell each is alone, in node 0.

    Args:
        system: a folder like /sys/devices/system/cpu.

    Raises:
        OSError, ValueError: it does not tell which are online.
    """
    numbers = online(system)
    return tuple(_cpu(system / f"cpu{number}", number, numbers) for number in numbers)


def _cpu(folder: Path, number: int, numbers: tuple[int, ...]) -> Cpu:
    core = _listed(folder / "topology" / "thread_siblings_list") or (number,)
    package = _listed(folder / "topology" / "core_siblings_list") or numbers
    # The last level there is has the highest index; without one a package stands for it.
    caches = sorted(folder.glob("cache/index*"), key=lambda one: int(one.name.removeprefix("index")))
    cache = _listed(caches[-1] / "shared_cpu_list") if caches else ()
    nodes = [int(one.name.removeprefix("node")) for one in folder.glob("node*") if re.fullmatch(r"node\d+", one.name)]
    return Cpu(number, core, cache or package, min(nodes, default=0))


def _listed(file: Path) -> tuple[int, ...]:
    with contextlib.suppress(OSError, ValueError):
        return read(file.read_text())
    return ()


def split(cpus: Collection[Cpu], wanted: int) -> CpuSplit:
    """Return CPUs for brokers and clients: whole cores each, of one cache if it has enough, else of one memory node.

    A thread that is left over beside those of brokers is given to nobody.

    Args:
        cpus: those that may be used.
        wanted: CPUs for brokers.

    Raises:
        ValueError: there are too few; says what to do.
    """
    if len(cpus) < FEWEST:
        message = (
            f"{len(cpus)} CPUs can be used here, and {FEWEST} are needed to keep brokers and clients apart: leave it"
            " out, or run on a larger host"
        )
        raise ValueError(message)
    ranked = sorted(cpus, key=lambda one: (one.node, one.cache, one.core, one.number))
    caches, nodes = _grouped(ranked, lambda one: one.cache), _grouped(ranked, lambda one: one.node)
    for least in (max(_FEWEST_CLIENTS, wanted), _FEWEST_CLIENTS):
        for region in (*caches, *nodes, ranked):
            found = _within(region, wanted)
            if found is not None and len(found.clients) >= least:
                return found
    message = (
        f"brokers want {wanted} CPUs, and of {words(one.number for one in cpus)} whole cores with"
        f" {_FEWEST_CLIENTS} CPUs must remain for clients: lower `cpus` of the brokers"
    )
    raise ValueError(message)


def _grouped(cpus: Iterable[Cpu], key: Callable[[Cpu], Hashable]) -> list[list[Cpu]]:
    groups: dict[Hashable, list[Cpu]] = {}
    for one in cpus:
        groups.setdefault(key(one), []).append(one)
    return list(groups.values())


def _within(region: Sequence[Cpu], wanted: int) -> CpuSplit | None:
    """Split some CPUs; None where they are too few. Clients get the first cores, which most interrupts go to."""
    if len(region) < wanted:
        return None
    roomy = [group for group in _grouped(region, lambda one: one.cache) if len(group) >= wanted]
    cores = _grouped(roomy[-1] if roomy else region, lambda one: one.core)
    taken: list[Cpu] = []
    while len(taken) < wanted:
        taken = [*cores.pop(), *taken]
    rest = [one.number for one in region if one not in taken]
    return CpuSplit(tuple(sorted(one.number for one in taken[-wanted:])), tuple(sorted(rest)))
