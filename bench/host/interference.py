"""What else may run on the CPUs that are meant for brokers and workers: interrupts, who moves them, kernel threads."""

import contextlib
from collections.abc import Collection
from pathlib import Path

from brokers.cpu_numbers import read, words

_NAMED = 4
_KTHREADD = 2
"""The process that starts all kernel threads."""
BALANCER = "irqbalance"


def interference(pinned: Collection[int], proc: Path = Path("/proc")) -> dict[str, str]:
    """Return facts for a report; of interrupts and kernel threads only where somebody is pinned.

    Args:
        pinned: the CPUs that brokers or workers are pinned to.
        proc: where the kernel tells of processes and interrupts.
    """
    runs = any(name == BALANCER for name in _names(proc))
    facts = {BALANCER: "runs, and moves interrupts between CPUs: stop it for a run" if runs else "does not run"}
    if not pinned:
        return facts
    at = f"CPU {words(pinned)}"
    there = [name for name, cpus in _interrupts(proc).items() if {*cpus} & {*pinned}]
    shown = ", ".join(there[:_NAMED]) + (f" and {len(there) - _NAMED} more" if len(there) > _NAMED else "")
    facts[f"interrupts that go to {at}"] = shown or "none"
    threads = [cpus for cpus in _kernel_threads(proc) if {*cpus} & {*pinned}]
    bound = sum({*cpus} <= {*pinned} for cpus in threads)
    facts[f"kernel threads of {at}"] = f"{bound} that belong there, {len(threads) - bound} that may run elsewhere too"
    return facts


def _names(proc: Path) -> list[str]:
    found = []
    for folder in proc.glob("[0-9]*"):
        with contextlib.suppress(OSError):
            found.append((folder / "comm").read_text().strip())
    return found


def _interrupts(proc: Path) -> dict[str, tuple[int, ...]]:
    """Return the CPUs of each device's interrupt, by its number and who handles it."""
    found = {}
    for folder in sorted((proc / "irq").glob("[0-9]*"), key=lambda one: int(one.name)):
        handlers = [one.name for one in folder.iterdir() if one.is_dir()]
        for file in ("effective_affinity_list", "smp_affinity_list"):
            with contextlib.suppress(OSError, ValueError):
                cpus = read((folder / file).read_text())
                if handlers and cpus:
                    found[f"{folder.name} {handlers[0]}"] = cpus
                break
    return found


def _kernel_threads(proc: Path) -> list[tuple[int, ...]]:
    """Return the CPUs of each kernel thread."""
    found = []
    for folder in proc.glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError):
            lines = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines() if ":" in line)
            if int(lines.get("PPid", 0)) == _KTHREADD:
                found.append(read(lines["Cpus_allowed_list"]))
    return found
