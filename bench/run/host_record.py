"""What a result says of the host and the tools that made it."""

import os
import platform
import subprocess
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

import psutil

from bench.drivers.registry import registry
from bench.host.cpu import cpu_model
from brokers.places.data_disk import file_system

_TOOLS = ("pika", "python-qpid-proton", "hdrhistogram", "numpy", "numba", "pandas", "matplotlib", "pydantic")


def tool_versions(drivers: Iterable[str]) -> dict[str, str]:
    """Return versions of Python, busbench, the libraries that shape a result, and what brings these drivers."""
    versions = {"python": platform.python_version(), "busbench": version()}
    for name in drivers:
        found = registry().installed[name]
        brought = [found.package, found.member.client_version() or ""]
        versions |= {package: its for package, _, its in (one.partition(" ") for one in brought) if package}
    return versions | {name: metadata.version(name) for name in _TOOLS}


def version() -> str:
    """Return the version of busbench; `unknown` where it was not installed."""
    try:
        return metadata.version("busbench")
    except metadata.PackageNotFoundError:
        return "unknown"


def host_facts(results: Path, data: Path) -> dict[str, str]:
    """Return facts of this host, as text for people.

    Args:
        results: a folder on the file system that results are written to.
        data: a folder on the file system that brokers keep their data on.
    """
    return {
        "cpu": cpu_model(),
        "cpus": str(os.cpu_count()),
        "memory": f"{psutil.virtual_memory().total / 1024**3:.1f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "distribution": _distribution(),
        "virtualisation": _virtualisation(),
        "clock source": _read("/sys/devices/system/clocksource/clocksource0/current_clocksource") or "unknown",
        "cpu governor": _read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor") or "not offered",
        "file system of broker data": file_system(data),
        "file system of results": file_system(results),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
    }


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def _distribution() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "unknown")
    except OSError:
        return "unknown"


def _virtualisation() -> str:
    try:
        done = subprocess.run(["systemd-detect-virt"], capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return "hypervisor" if " hypervisor" in _read("/proc/cpuinfo") else "none seen"
    return done.stdout.strip() or "unknown"
