"""The registry: what is found, what is left out and why, and that no client library is imported too early."""

import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from bench.drivers.base import PortSpec
from bench.drivers.description import Driver
from bench.drivers.registry import DriverRegistry, DriverUnusable, collect, driver_named, open_port, registry, warm
from bench.host.clock import RealClock
from brokers.entry_points import Declared
from tests.bench.drivers.fake_package import install, on_path

OURS = Declared("pika-codec", "busbench", "0.1.0", "bench.drivers.pika:CODEC")
DRIVER = """
from bench.drivers.description import Driver
DRIVER = Driver(name="{name}", protocol="amqp091", description="fake", open_port="{name}_port:open_port")
"""
PORT = """
def open_port(spec, clock):
    return ("opened", spec.size)
"""


def theirs(value: str, name: str = "fake", package: str = "other") -> Declared:
    """Return an entry point of another package."""
    return Declared(name, package, "2.0", value)


def test_unknown_names_are_answered_with_the_known() -> None:
    """So that a slip of the pen costs one look."""
    with pytest.raises(
        ValueError, match=r"'pica' is no driver: choose .*pika-codec, .*kombu, .*proton-engine, .*memory"
    ):
        driver_named("pica")


def test_each_driver_says_which_client_it_measures() -> None:
    """By the version that is installed; the memory driver has no client; all are brought by this package."""
    installed = registry().installed
    clients = {name: one.member.client_version() for name, one in installed.items()}
    assert clients["pika-codec"] == f"pika {version('pika')}"
    assert clients["kombu"] == f"kombu {version('kombu')}"
    assert clients["proton-engine"] == f"python-qpid-proton {version('python-qpid-proton')}"
    assert clients["memory"] is None
    assert {one.package.split()[0] for one in installed.values()} == {"busbench"}
    assert registry().unusable == ()


def test_former_names_go_on_as_what_they_were() -> None:
    """Results and scenarios of earlier versions name them; they are not offered any more."""
    for was, now in (("pika", "pika-codec"), ("proton", "proton-engine")):
        former, current = driver_named(was), driver_named(now)
        assert former.now == now
        assert (former.open_port, former.protocol) == (current.open_port, current.protocol)
        assert was not in registry().speaking(current.protocol).split(", ")


def test_looking_at_the_list_imports_no_client() -> None:
    """Descriptions are light: no client library, and no module of a driver that needs one."""
    code = (
        "import sys; from bench.drivers.registry import registry; registry();"
        "print([m for m in ('pika', 'proton', 'cproton', 'kombu', 'amqp', 'numba') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_every_driver_of_ours_can_be_imported() -> None:
    """Each description names a module and a function that are there; that of the inline one names none."""
    for one in registry().installed.values():
        driver = one.member
        assert driver.inline == (driver.open_port is None)
        if driver.open_port is not None:
            with pytest.raises(ValueError, match="endpoint"):
                open_port(driver.name, PortSpec(None, (), (), 32), RealClock())


def test_what_warms_a_driver_is_there() -> None:
    """Each of ours that names such a function is warmed by it without a broker; the others have nothing to warm."""
    assert driver_named("wire091").warm is not None
    for name in registry().installed:
        warm(name)


def test_the_memory_driver_is_not_opened_in_a_worker() -> None:
    """It runs inline, with its script."""
    with pytest.raises(ValueError, match="inline"):
        open_port("memory", PortSpec(None, (), (), 32), RealClock())


def test_a_driver_of_another_package_is_found_and_opened(tmp_path: Path) -> None:
    """Its port module is imported when a port is opened, not before."""
    install(tmp_path, "other", {"fake": "fake:DRIVER"}, {"fake.py": DRIVER.format(name="fake"), "fake_port.py": PORT})
    with on_path(tmp_path):
        assert registry().installed["fake"].package == "other 1.0"
        assert "fake_port" not in sys.modules
        assert open_port("fake", PortSpec(None, (), (), 77), RealClock()) == ("opened", 77)  # type: ignore[comparison-overlap]
    assert "fake" not in registry().installed


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("raise RuntimeError('oops')", "broken_a:DRIVER cannot be loaded: RuntimeError: oops"),
        ("raise SystemExit(1)", "broken_a:DRIVER cannot be loaded: SystemExit: 1"),
        ("OTHER = 1", "broken_a:DRIVER cannot be loaded: AttributeError: .*DRIVER"),
        ("DRIVER = {}", "broken_a:DRIVER is a dict, not a bench.drivers.description.Driver"),
        (DRIVER.format(name="other"), "calls itself 'other': entry point and description must agree"),
        (DRIVER.format(name="a").replace("amqp091", "mqtt"), "it speaks 'mqtt': there are amqp091, amqp10, memory"),
        (DRIVER.format(name="a").replace("amqp091", "memory"), "only a driver of busbench .* scripted memory broker"),
        (DRIVER.format(name="a").replace("a_port:", "a_port."), "open_port = 'a_port.open_port': write 'module:funct"),
        (
            DRIVER.format(name="a").replace('"fake"', '"fake", warm="a_port"'),
            "warm = 'a_port': write 'module:function'",
        ),
        (DRIVER.format(name="a").replace('"fake"', "3"), "description of broken_a:DRIVER is no text"),
    ],
)
def test_a_broken_driver_is_named_and_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, fault: str
) -> None:
    """One message with the package and the fault, also to whoever asks for that driver; the others are there."""
    (tmp_path / "broken_a.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "broken_a", raising=False)
    found = collect([OURS, theirs("broken_a:DRIVER", "a")])
    assert list(found.installed) == ["pika-codec"]
    [unusable] = found.unusable
    assert str(unusable).startswith("package other 2.0: driver 'a' is left out: ")
    assert re.search(fault, str(unusable))
    assert found.refusal("a") == f"'a' is no driver: choose pika-codec; {unusable}"
    assert found.refusal("pika-codec") is None


def test_a_metadata_file_that_cannot_be_read_is_told() -> None:
    """By its package; there is nothing else to say of it."""
    [unusable] = collect([OURS, Declared("busbench.drivers", "other", "2.0", None)]).unusable
    assert str(unusable) == (
        "package other 2.0: driver 'busbench.drivers' is left out: its entry_points.txt cannot be read"
    )


def test_names_that_are_taken() -> None:
    """Ours stay ours; a name that two other packages take is nobody's, as a result must say what it measured."""
    found = collect([OURS, theirs("x:DRIVER", "pika-codec"), theirs("y:D", "z", "one"), theirs("y:D", "z", "two")])
    assert [one.package for one in found.installed.values()] == ["busbench 0.1.0"]
    assert [str(one) for one in found.unusable] == [
        "package other 2.0: driver 'pika-codec' is left out: busbench 0.1.0 brings one of that name",
        "package one 2.0: driver 'z' is left out: two 2.0 brings one of that name too: uninstall either",
        "package two 2.0: driver 'z' is left out: one 2.0 brings one of that name too: uninstall either",
    ]


def test_a_driver_whose_module_fails_names_its_package(tmp_path: Path) -> None:
    """What is wrong with a package is not taken for a fault of the broker."""
    install(tmp_path, "other", {"lame": "lame:DRIVER"}, {"lame.py": DRIVER.format(name="lame")})
    told = "package other 1.0: driver 'lame' cannot be opened by lame_port:open_port: ModuleNotFoundError: .*lame_port"
    with on_path(tmp_path), pytest.raises(DriverUnusable, match=told):
        open_port("lame", PortSpec(None, (), (), 32), RealClock())


def test_a_client_that_is_not_installed_is_told_with_its_remedy() -> None:
    """The driver is listed; whoever asks for it reads what to install, as its driver says it."""
    extra = Driver("a", "amqp091", "", "m:f", distribution="no-such-client", install="no-such-client>=2")
    plain = Driver("b", "amqp091", "", "m:f", distribution="no-such-client")
    assert extra.lacks() == "no-such-client is not installed: pip install 'no-such-client>=2'"
    assert plain.lacks() == "no-such-client is not installed: pip install 'no-such-client'"
    found = DriverRegistry({"a": type(registry().installed["pika-codec"])(extra, "busbench 0.1.0")})
    assert found.refusal("a") == f"'a' cannot be used: {extra.lacks()}"
    assert found.speaking("amqp10") == ""
