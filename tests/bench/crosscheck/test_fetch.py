"""Peers are fetched once, by Maven, whole or not at all. A script stands in for Maven."""

import os
from pathlib import Path

import pytest

from bench.crosscheck.artemis_perf import ArtemisPerf
from bench.crosscheck.fetch import FetchError, ensure
from bench.crosscheck.perftest import PerfTest

COPY = r"""
for word in "$@"; do
  case $word in
    -DoutputDirectory=*) folder=${word#*=} ;;
    --file=*) grep -q '<artifactId>perf-test</artifactId><version>2.22.1<' "${word#*=}" || exit 7 ;;
  esac
done
mkdir -p "$folder"
"""


@pytest.fixture
def mvn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file to write a script to, found as `mvn`."""
    script = tmp_path / "bin" / "mvn"
    script.parent.mkdir()
    script.touch(mode=0o755)
    monkeypatch.setenv("PATH", f"{script.parent}:{os.environ['PATH']}")
    return script


def write(mvn: Path, commands: str) -> None:
    """Have `mvn` run shell commands."""
    mvn.write_text(f"#!/bin/sh\n{commands}\n")


def test_a_jar_comes_with_what_it_needs_and_only_once(mvn: Path, tmp_path: Path) -> None:
    """The second call finds it, and says nothing."""
    write(mvn, COPY + 'touch "$folder/perf-test.jar"')
    said: list[str] = []
    found = ensure(PerfTest(), said.append, tmp_path / "peers")
    assert [path.name for path in found.iterdir()] == ["perf-test.jar"]
    write(mvn, "exit 9")
    assert ensure(PerfTest(), said.append, tmp_path / "peers") == found
    assert said == ["fetching PerfTest 2.22.1 with Maven"]


def test_a_failure_leaves_nothing(mvn: Path, tmp_path: Path) -> None:
    """Half a peer is never taken for a whole one; Maven's words are quoted."""
    write(mvn, COPY + 'touch "$folder/half.jar"; echo no network; exit 1')
    with pytest.raises(FetchError, match=r"(?s)mvn ended with exit code 1.*no network"):
        ensure(PerfTest(), lambda _: None, tmp_path / "peers")
    assert list((tmp_path / "peers").iterdir()) == []


@pytest.mark.parametrize(("there", "named"), [([], "java and mvn"), (["java"], "mvn"), (["mvn"], "java")])
def test_missing_tools_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: list[str], named: str) -> None:
    """One message, with what to install."""
    for tool in there:
        (tmp_path / tool).touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FetchError, match=f"PerfTest needs {named}: apt-get install "):
        ensure(PerfTest(), lambda _: None, tmp_path / "peers")


def test_maven_is_not_needed_for_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fetched peer wants Java alone."""
    (tmp_path / "java").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    place = tmp_path / "peers" / "perf-test-2.22.1"
    place.mkdir(parents=True)
    assert ensure(PerfTest(), lambda _: None, tmp_path / "peers") == place


def test_a_folder_that_cannot_be_written_is_told(mvn: Path, tmp_path: Path) -> None:
    """The message names it."""
    write(mvn, COPY)
    (tmp_path / "peers").touch()
    with pytest.raises(FetchError, match="cannot be kept in"):
        ensure(PerfTest(), lambda _: None, tmp_path / "peers")


def test_an_archive_is_unpacked(mvn: Path, tmp_path: Path) -> None:
    """Its one folder becomes the peer's."""
    inside = tmp_path / "apache-artemis-2.44.0"
    (inside / "lib").mkdir(parents=True)
    write(mvn, f'{COPY}\ntar --create --gzip --file="$folder/artemis.tar.gz" --directory={tmp_path} {inside.name}')
    found = ensure(ArtemisPerf(), lambda _: None, tmp_path / "peers")
    assert found == tmp_path / "peers" / "apache-artemis-2.44.0"
    assert [path.name for path in found.iterdir()] == ["lib"]
    assert [path.name for path in (tmp_path / "peers").iterdir()] == [found.name]
