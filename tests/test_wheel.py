"""The wheel has all that it needs, and what is said of installing it is true."""

import re
import subprocess
import tomllib
from email.message import Message
from email.parser import Parser
from importlib.metadata import distributions
from pathlib import Path
from zipfile import ZipFile

import pytest
from packaging.specifiers import SpecifierSet

from bench.drivers.registry import registry
from bench.host import doctor
from tests.distributions import ROOT, wheel

PACKAGES = ("bench", "brokers", "reports")
LEFT_OUT = "brokers/image/yocto"
"""The layer for OpenEmbedded, which is read from a checkout, and what writes it."""
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
README = (ROOT / "README.md").read_text()
SETUP = (ROOT / ".ci/setup.sh").read_text()
BY_NAME = re.compile(r"pip3? install\s[^`\n#]*(?<![\w./-])busbench(?![\w.-])")
"""An installation that would look for busbench on an index."""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    return wheel(tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def told(built: Path) -> Message:
    """What it says of itself."""
    with ZipFile(built) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return Parser().parsestr(archive.read(name).decode())


def tracked(*folders: str) -> set[str]:
    """Return the files below folders that git tracks and that are there."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--", *folders], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return {name for name in listed.stdout.split("\0") if name and (ROOT / name).exists()}


def test_the_wheel_has_every_file_of_the_packages(built: Path) -> None:
    """Scenarios, templates, styles, scripts, budget and recipes, to the octet; nothing of tests or of the layer."""
    files = tracked(*PACKAGES) - tracked(LEFT_OUT)
    assert {Path(name).suffix for name in files} >= {".py", ".toml", ".j2", ".css", ".js"}
    with ZipFile(built) as archive:
        packed = set(archive.namelist())
        assert files - packed == set()
        assert [name for name in packed if name.startswith(LEFT_OUT)] == []
        changed = [name for name in files if archive.read(name) != (ROOT / name).read_bytes()]
    assert changed == []
    tops = {name.split("/")[0] for name in packed}
    assert tops == {*PACKAGES, f"busbench-{PROJECT['version']}.dist-info"}


def test_the_wheel_tells_its_extras_and_commands(built: Path, told: Message) -> None:
    """Each extra of pyproject.toml, with what it brings; the command; every entry point of ours."""
    extras = PROJECT["optional-dependencies"]
    assert extras.keys() >= {"kombu", "notebooks", "dev"}
    assert set(told.get_all("Provides-Extra", [])) == extras.keys()
    required = {re.sub(r"[\s'\"]", "", line) for line in told.get_all("Requires-Dist", [])}
    wanted = {f"{one};extra=={extra}" for extra, ones in extras.items() for one in ones}
    assert required == wanted | set(PROJECT["dependencies"])
    with ZipFile(built) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("entry_points.txt"))
        points = archive.read(name).decode()
    assert "bench = bench.cli:main" in points
    for group, ones in PROJECT["entry-points"].items():
        assert f"[{group}]" in points
        assert all(f"{point} = {value}" in points for point, value in ones.items())


def test_no_extra_names_another_of_ours() -> None:
    """For pip-compile would write the path of the machine where it runs into the lock."""
    named = [one for ones in PROJECT["optional-dependencies"].values() for one in ones if one.startswith("busbench")]
    assert named == []


def test_messages_ask_for_what_extras_bring() -> None:
    """Where a library is missing it is named as our extra has it: that is found on an index."""
    extras = PROJECT["optional-dependencies"]
    asked = {name: one.member.install for name, one in registry().installed.items() if one.member.install}
    assert asked == {name: extras[name][0] for name in asked}
    assert "kombu" in asked
    (told,) = re.findall(r"--metrics needs [\w-]+: pip install '(.+?)'", (ROOT / "bench/cli/watching.py").read_text())
    assert [told] == extras["metrics"]


def test_readme_names_the_wheel(built: Path) -> None:
    """Its line for another machine has the name of the file that is built."""
    assert f"pip install './{built.name}[kombu]'" in README


def test_proton_wants_the_same_everywhere() -> None:
    """README, `bench doctor` and `make setup` name the same packages; what they are good for is tried in soak."""
    assert f"\napt-get install {doctor.PROTON_PACKAGES} " in README
    assert doctor.PROTON_PACKAGES in doctor.check_proton(lambda _: None).how_to_get
    for package in doctor.PROTON_PACKAGES.split():
        assert re.search(rf"\b{re.escape(package)}\b", SETUP), package
    (fedora,) = re.findall(r"^dnf install ([^#\n]+?) +#", README, re.MULTILINE)
    assert f"dnf install {fedora}" in SETUP


def test_what_is_locked_serves_every_python_that_we_do() -> None:
    """The first 3.11 too, as Debian 12 stays at 3.11.2; whoever makes the lock has a newer one, and sees nothing."""
    oldest = ".".join(map(str, (*doctor.PYTHON_AT_LEAST, 0)))
    wanted = {one.metadata["Name"]: one.metadata.json.get("requires_python") for one in distributions()}
    assert [name for name, spec in wanted.items() if spec and oldest not in SpecifierSet(str(spec))] == []


@pytest.mark.parametrize(
    ("line", "by_name"),
    [
        ("pip install busbench", True),
        ("pip install 'busbench[kombu]'", True),
        ("pip install --upgrade busbench # it", True),
        ("pip install ./busbench-bare", False),
        ("pip install './busbench-0.1.0-py3-none-any.whl[kombu]'", False),
        ("pip install -e . # into the environment of busbench", False),
    ],
)
def test_an_installation_by_name_is_seen(line: str, by_name: bool) -> None:  # noqa: FBT001
    """And one by folder or file is not taken for it."""
    assert bool(BY_NAME.search(line)) is by_name


def test_nothing_asks_an_index_for_busbench() -> None:
    """No text or message of the project has pip look for busbench by its name: it is on no index."""
    files = tracked(*PACKAGES, "docs", "notebooks", ".ci", "README.md", "CHANGELOG.md", "Makefile")
    texts = {name: (ROOT / name).read_text(errors="replace") for name in files}
    assert [name for name, text in texts.items() if BY_NAME.search(text)] == []
