"""The wheel on systems that never saw the repository: new roots of Debian, installed as README says, and used.

What a root does not have is the point, so nothing of this machine is seen in it but its network, and how pip gets
through that: its configuration, its variables, its certificates.
"""

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench.ceiling.measure import relay
from bench.results.archive import read
from brokers.image.build import build
from brokers.image.recipe import Recipe
from tests.distributions import ROOT, wheel

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1800)]

README = (ROOT / "README.md").read_text()
SYSTEMS = {"bookworm": "3.11", "trixie": "3.13"}
"""Releases of Debian, and the Python that each has."""
NETWORK = re.compile(r"PIP_.*|.*_proxy|SSL_CERT_.*|REQUESTS_CA_BUNDLE", re.IGNORECASE)
"""Variables by which pip and what it starts reach the network."""
FILES = ("/etc/resolv.conf", "/etc/hosts", "/etc/pip.conf")
HOME = "/root"
PREFIX = f"{HOME}/busbench"


@dataclass(frozen=True)
class System:
    """A root file system with busbench in it, and the folder with the wheel."""

    root: Path
    dist: Path
    python: str

    def run(self, *words: str, code: int | None = 0, timeout: float = 120) -> str:
        """Run a command in it; return what it wrote. The exit code must be `code`, where one is given."""
        done = subprocess.run(
            [*entered(self.root, self.dist), *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert code is None or done.returncode == code, f"{words}: {done.returncode}\n{done.stdout[-6000:]}"
        return done.stdout

    def bench(self, *words: str, code: int | None = 0) -> str:
        """Run the installed command."""
        return self.run(f"{PREFIX}/bin/bench", *words, code=code)


def entered(root: Path, dist: Path) -> list[str]:
    """Return the beginning of a command line that runs something in a root."""
    variables = {name: value for name, value in os.environ.items() if NETWORK.fullmatch(name)}
    named = [value for value in variables.values() if value.startswith("/") and Path(value).exists()]
    own = Path.home() / ".config/pip"
    # fmt: off
    return [
        "bwrap", "--unshare-pid", "--die-with-parent",
        "--bind", str(root), "/", "--proc", "/proc", "--dev", "/dev",
        "--ro-bind", str(dist), "/dist",
        *(word for file in (*FILES, *sorted(named)) for word in ("--ro-bind-try", file, file)),
        "--ro-bind-try", str(own), f"{HOME}/.config/pip",
        "--clearenv", *(word for pair in variables.items() for word in ("--setenv", *pair)),
        "--setenv", "HOME", HOME, "--setenv", "PATH", "/usr/sbin:/usr/bin:/sbin:/bin", "--setenv", "LANG", "C.UTF-8",
        "--setenv", "PIP_NO_CACHE_DIR", "1",
        "--chdir", HOME, "--",
    ]
    # fmt: on


@pytest.fixture(scope="module", params=SYSTEMS)
def system(request: pytest.FixtureRequest) -> Iterator[System]:
    """A new Debian on which README's lines were carried out."""
    (packages,) = re.findall(r"^apt-get install ([^#\n]+?) +#", README, re.MULTILINE)
    wanted = ("ca-certificates", "python3", "python3-venv", *packages.split())
    recipe = Recipe(name=request.param, description="", suite=request.param, packages=wanted)
    with tempfile.TemporaryDirectory(prefix="busbench-") as folder:
        root, dist = Path(folder) / "root", Path(folder) / "dist"
        root.mkdir()
        dist.mkdir()
        with (Path(folder) / "lock").open("w") as lock:
            build(recipe, root, lock.fileno(), print)
        found = System(root, dist, SYSTEMS[request.param])
        file = wheel(dist).name
        found.run("python3", "-m", "venv", PREFIX)
        told = found.run(f"{PREFIX}/bin/pip", "install", f"/dist/{file}[kombu,metrics,notebooks]", timeout=1200)
        assert "Successfully installed" in told
        yield found


def test_the_command_is_there(system: System) -> None:
    """On the Python that is meant, with the version of the wheel; Proton was built with TLS and SASL."""
    assert system.run("python3", "--version").startswith(f"Python {system.python}.")
    (file,) = system.dist.glob("*.whl")
    assert system.bench("--version") == f"busbench {file.name.split('-')[1]}\n"
    # The root lacks what images are built with.
    told = system.bench("doctor", code=4)
    assert "ok       Qpid Proton: with TLS and extended SASL" in told
    assert f"ok       Python: {system.python}." in told


def test_a_scripted_run_works(system: System) -> None:
    """The shipped scenario is found, run, and its report drawn by what the wheel brings."""
    system.bench("run", "smoke", "--out", "smoke", code=None)
    found = read(system.root / HOME[1:] / "smoke")
    assert {trial.record.outcome for trial in found.trials} == {"completed"}
    assert found.record.tools["python"].startswith(f"{system.python}.")
    page = (system.root / HOME[1:] / "smoke/report.html").read_text()
    assert page.rstrip().endswith("</html>")
    assert "<style" in page


@pytest.mark.parametrize("driver", ["wire091", "wire10", "kombu", "proton-blocking"])
def test_a_broker_is_loaded(driver: str, system: System) -> None:
    """By compiled code and by libraries; each message is accounted for."""
    folder = f"load-{driver}"
    protocol = "amqp10" if driver in {"wire10", "proton-blocking"} else "amqp091"
    words = ("--rate", "200", "--duration", "2s", "--warm-up", "2s", "--driver", driver, "--protocol", protocol)
    with relay() as port:
        told = system.bench("load", f"amqp://127.0.0.1:{port}", *words, "--out", folder, code=None)
    found = read(system.root / HOME[1:] / folder)
    assert [trial.record.outcome for trial in found.trials] == ["completed"], told
    ledger = found.trials[0].record.ledger
    assert ledger.balanced
    assert ledger.received == ledger.sent > 100
