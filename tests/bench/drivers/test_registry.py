"""The registry names the drivers there are and imports no client library before it must."""

import subprocess
import sys
from importlib.metadata import version

import pytest

from bench.clock import RealClock
from bench.drivers.base import PortSpec
from bench.drivers.registry import DRIVERS, driver_named, open_port


def test_unknown_names_are_answered_with_the_known() -> None:
    """So that a slip of the pen costs one look."""
    with pytest.raises(ValueError, match="'pica' is no driver: choose pika, proton, memory"):
        driver_named("pica")


def test_each_driver_says_which_client_it_measures() -> None:
    """By the version that is installed; the memory driver has no client."""
    clients = {name: driver.client_version() for name, driver in DRIVERS.items()}
    assert clients == {
        "pika": f"pika {version('pika')}",
        "proton": f"python-qpid-proton {version('python-qpid-proton')}",
        "memory": None,
    }


def test_importing_the_registry_imports_no_client() -> None:
    """Neither pika nor Proton is loaded by a look at the list."""
    code = "import sys, bench.drivers.registry; print([m for m in ('pika', 'proton', 'cproton') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_the_memory_driver_is_not_opened_in_a_worker() -> None:
    """It runs inline, with its script."""
    with pytest.raises(ValueError, match="inline"):
        open_port("memory", PortSpec(None, (), (), 32), RealClock())
