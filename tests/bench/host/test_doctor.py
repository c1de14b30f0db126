"""`bench.host.doctor`: each check, on machines made up of a few fake tools and files."""

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench.host import doctor

Tool = Callable[[str, str], Path]


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tool:
    """Make PATH an empty folder; return what puts a shell script there."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("JAVA_HOME", raising=False)

    def put(name: str, script: str) -> Path:
        path = folder / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path

    return put


def _named(name: str) -> doctor.Check:
    return next(check for check in doctor.examine() if check.name == name)


def test_a_bare_machine_lacks_every_tool(tool: Tool) -> None:  # noqa: ARG001
    """With nothing on PATH each tool is missing, and each check says which package brings it."""
    missing = {check.name: check for check in doctor.examine() if not check.ok}
    assert {"mmdebstrap", "mvn", "JDK", "bubblewrap", "tcpdump", "strace"} <= missing.keys()
    for name, package in {"mmdebstrap": "debian-archive-keyring", "mvn": "maven", "JDK": "default-jdk"}.items():
        assert package in missing[name].how_to_get


def test_a_tool_on_path_is_found_where_it_is(tool: Tool) -> None:
    """A tool that is there is fine, and the check says where it lies."""
    path = tool("mmdebstrap", "exit 0")
    check = _named("mmdebstrap")
    assert check.ok
    assert check.found == str(path)


def test_newuidmap_matters_only_to_other_users_than_root(tool: Tool, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001
    """Root builds images without newuidmap; everybody else is told of it."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert "newuidmap" not in {check.name for check in doctor.examine()}
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert not _named("newuidmap").ok


def test_a_bubblewrap_that_starts_no_sandbox_is_a_fault(tool: Tool) -> None:
    """Being installed is not enough: the reason why no sandbox starts is quoted."""
    tool("bwrap", "echo 'No permissions to create new namespace' >&2; exit 1")
    check = doctor.check_sandbox()
    assert not check.ok
    assert "No permissions to create new namespace" in check.found
    assert "user namespaces" in check.how_to_get


def test_a_sandbox_is_started_with_process_ids_of_its_own(tool: Tool, tmp_path: Path) -> None:
    """The trial sandbox needs what real ones need: a mounted root and a pid namespace."""
    tool("bwrap", f'echo "$@" > {tmp_path}/asked')
    assert doctor.check_sandbox().ok
    assert (tmp_path / "asked").read_text().split() == ["--ro-bind", "/", "/", "--unshare-pid", "true"]


def test_java_tells_its_version(tool: Tool) -> None:
    """The first line of `java -version`, which goes to standard error, is what was found."""
    tool("java", "echo 'openjdk version \"21.0.1\"' >&2; echo more >&2")
    assert doctor.check_java().found == 'openjdk version "21.0.1"'


def test_a_java_home_without_java_is_a_fault(tool: Tool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Maven takes JAVA_HOME before PATH, so a wrong one is told, whatever PATH holds."""
    tool("java", "exit 0")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "nowhere"))
    check = doctor.check_java()
    assert not check.ok
    assert "nowhere" in check.found


@pytest.mark.parametrize(("version", "ok"), [((3, 10, 14), False), ((3, 11, 0), True), ((3, 13, 1), True)])
def test_python_from_3_11_on(version: tuple[int, int, int], ok: bool) -> None:  # noqa: FBT001
    """3.11 is the oldest Python that serves."""
    assert doctor.check_python(version).ok is ok


@pytest.mark.parametrize(
    ("tls", "sasl", "lacks"),
    [(True, True, None), (False, True, "TLS"), (True, False, "extended SASL"), (False, False, "TLS and extended SASL")],
)
def test_proton_must_have_tls_and_sasl(
    tls: bool,  # noqa: FBT001
    sasl: bool,  # noqa: FBT001
    lacks: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A Proton built without the headers works, but without TLS or SASL: each is named."""
    monkeypatch.setattr(doctor, "answers_plain", lambda _: True)
    proton = SimpleNamespace(SSL=SimpleNamespace(present=lambda: tls), SASL=SimpleNamespace(extended=lambda: sasl))
    check = doctor.check_proton(lambda _: proton)
    assert check.ok is (lacks is None)
    assert lacks is None or check.found == f"built without {lacks}"
    assert lacks is None or "libsasl2-dev" in check.how_to_get


@pytest.mark.parametrize("there", [True, False])
def test_proton_must_log_in_by_password(there: bool, tmp_path: Path) -> None:  # noqa: FBT001
    """PLAIN is a plug-in of Cyrus SASL (which looks below SASL_PATH); its package is named, and nothing is built."""
    code = (
        "import importlib; from bench.host.doctor import check_proton;"
        "found = check_proton(importlib.import_module); print(found.ok, found.found, found.how_to_get, sep='|')"
    )
    elsewhere = {} if there else {"SASL_PATH": str(tmp_path)}
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])} | elsewhere
    told = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    ok, found, remedy = told.stdout.strip().split("|")
    assert ok == str(there)
    assert found == "with TLS and extended SASL" + ("" if there else ", but without the SASL mechanism PLAIN")
    assert there or remedy == "apt-get install libsasl2-modules"


def test_a_proton_that_cannot_be_imported_is_a_fault() -> None:
    """No Proton at all is told with the reason of the failing import."""

    def load(name: str) -> object:
        raise ImportError("no module named " + name)

    check = doctor.check_proton(load)
    assert not check.ok
    assert "no module named proton" in check.found


def test_disk_is_that_of_the_nearest_folder_that_exists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache folder that is not there yet is judged by its file system; 2 GB are enough, less are not."""
    seen: list[Path] = []

    def usage(free: int) -> Callable[[Path], SimpleNamespace]:
        return lambda path: seen.append(path) or SimpleNamespace(free=free)  # type: ignore[func-returns-value]

    monkeypatch.setattr(shutil, "disk_usage", usage(doctor.DISK_AT_LEAST))
    assert doctor.check_disk(tmp_path / "not" / "there").ok
    monkeypatch.setattr(shutil, "disk_usage", usage(doctor.DISK_AT_LEAST - 1))
    assert not doctor.check_disk(tmp_path / "not" / "there").ok
    assert seen == [tmp_path, tmp_path]


def test_a_memory_hierarchy_of_version_1_is_found(tmp_path: Path) -> None:
    """With cgroup v1 our own group of the memory controller can be written."""
    (tmp_path / "own").write_text("4:cpu,cpuacct:/a\n3:memory:/a\n0::/\n")
    (tmp_path / "fs" / "memory" / "a").mkdir(parents=True)
    found = doctor.check_control_group(tmp_path / "own", tmp_path / "fs").found
    assert found.endswith(str(tmp_path / "fs" / "memory" / "a"))


def test_a_delegated_group_of_version_2_is_found(tmp_path: Path) -> None:
    """With cgroup v2 the nearest group above that passes the memory controller on is taken."""
    (tmp_path / "own").write_text("0::/user/session\n")
    (tmp_path / "fs" / "user" / "session").mkdir(parents=True)
    (tmp_path / "fs" / "user" / "cgroup.subtree_control").write_text("cpu memory pids\n")
    (tmp_path / "fs" / "user" / "cgroup.procs").write_text("")
    found = doctor.check_control_group(tmp_path / "own", tmp_path / "fs").found
    assert found.endswith(str(tmp_path / "fs" / "user"))


def test_no_control_group_is_no_fault_but_is_told(tmp_path: Path) -> None:
    """Without control groups brokers keep their own limits: nothing to mend, but to know."""
    (tmp_path / "own").write_text("0::/\n")
    (tmp_path / "fs").mkdir()
    check = doctor.check_control_group(tmp_path / "own", tmp_path / "fs")
    assert check.ok
    assert "own limits" in check.found
    assert doctor.check_control_group(tmp_path / "absent", tmp_path / "fs").found == check.found


def test_few_cpus_are_told_and_are_no_fault() -> None:
    """Below four CPUs nothing is ranked by throughput; from four on there is nothing to say."""
    assert "ranked" in doctor.check_cpus(2).found
    assert "ranked" not in doctor.check_cpus(4).found
    assert doctor.check_cpus(1).ok


@pytest.mark.parametrize(
    ("soft", "hard", "ok"),
    [
        (256, 256, False),
        (256, 4096, False),
        (1024, 1024, True),
        (1024, resource.RLIM_INFINITY, True),
        (resource.RLIM_INFINITY, resource.RLIM_INFINITY, True),
    ],
)
def test_open_files(soft: int, hard: int, ok: bool) -> None:  # noqa: FBT001
    """Few open files are a fault; no limit, a negative number to the kernel's interface, is none."""
    assert doctor.check_open_files(soft, hard).ok is ok


def test_what_open_files_say() -> None:
    """Workers are told the hard limit, brokers the soft one; root is asked for only where that one is too low."""
    check = doctor.check_open_files(256, resource.RLIM_INFINITY)
    assert check.found == "any number for a worker (hard limit), 256 for a broker that we start (soft limit)"
    assert check.how_to_get == "ulimit -n 1024 in the shell that runs bench"
    assert doctor.check_open_files(256, 512).how_to_get.startswith("as root, raise the hard limit")
