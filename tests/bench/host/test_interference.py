"""What else runs on pinned CPUs, on a made-up /proc."""

from pathlib import Path

from bench.host.interference import interference


def _process(proc: Path, pid: int, name: str, parent: int, cpus: str) -> None:
    (proc / str(pid)).mkdir(parents=True)
    (proc / str(pid) / "comm").write_text(f"{name}\n")
    (proc / str(pid) / "status").write_text(f"Name:\t{name}\nPPid:\t{parent}\nCpus_allowed_list:\t{cpus}\n")


def _interrupt(proc: Path, number: int, cpus: str, *handlers: str) -> None:
    (proc / "irq" / str(number)).mkdir(parents=True)
    (proc / "irq" / str(number) / "effective_affinity_list").write_text(f"{cpus}\n")
    for one in handlers:
        (proc / "irq" / str(number) / one).mkdir()


def test_threads_interrupts_and_the_balancer_are_told(tmp_path: Path) -> None:
    """Of the pinned CPUs alone; an interrupt that nobody handles is none."""
    _process(tmp_path, 2, "kthreadd", 0, "0-3")
    _process(tmp_path, 20, "ksoftirqd/2", 2, "2")
    _process(tmp_path, 21, "ksoftirqd/0", 2, "0")
    _process(tmp_path, 22, "kworker/u8:1", 2, "0-3")
    _process(tmp_path, 300, "irqbalance", 1, "0-3")
    _interrupt(tmp_path, 24, "2", "virtio0-input")
    _interrupt(tmp_path, 25, "0", "virtio1-input")
    _interrupt(tmp_path, 26, "3")
    assert interference({2, 3}, tmp_path) == {
        "irqbalance": "runs, and moves interrupts between CPUs: stop it for a run",
        "interrupts that go to CPU 2-3": "24 virtio0-input",
        "kernel threads of CPU 2-3": "1 that belong there, 1 that may run elsewhere too",
    }


def test_without_a_pin_only_the_balancer_is_told(tmp_path: Path) -> None:
    """All CPUs have some of everything."""
    assert interference((), tmp_path) == {"irqbalance": "does not run"}
