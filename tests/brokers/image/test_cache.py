"""The cache of images: found, built once, cleaned after interruptions, removed. The builder is a small fake."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from brokers.image import cache
from brokers.image.build import Say
from brokers.image.recipe import ImageError, Recipe, recipe


def _fill(_recipe: Recipe, root: Path, _lock: int, say: Say) -> None:
    """Make the smallest root file system that is one."""
    say("filling")
    (root / "var/lib/dpkg").mkdir(parents=True)
    (root / "var/lib/dpkg/status").write_text("Package: p\nStatus: install ok installed\nVersion: 1\n")


def _quiet(_line: str) -> None:
    """Say nothing."""


def test_an_image_is_built_once_and_then_found(tmp_path: Path) -> None:
    """With the whole manifest: Debian packages and Maven artifacts."""
    assert cache.find("stable", tmp_path) is None
    built = cache.ensure("stable", _quiet, tmp_path, _fill)
    assert built.packages == {"p": "1"} | {one.identity: one.version for one in recipe("stable").maven}
    assert built.content_digest.startswith("sha256:")

    def never(_recipe: Recipe, _root: Path, _lock: int, _say: Say) -> None:
        pytest.fail("built a second time")

    assert cache.ensure("stable", _quiet, tmp_path, never) == built == cache.find("stable", tmp_path)
    assert cache.find("current", tmp_path) is None


def test_two_builders_at_once_make_one_image(tmp_path: Path) -> None:
    """The second waits, says so, and takes what the first has made."""
    begun, go_on = threading.Event(), threading.Event()
    built: list[str] = []
    words: list[str] = []

    def slow(wanted: Recipe, root: Path, lock: int, say: Say) -> None:
        built.append("once")
        begun.set()
        assert go_on.wait(10)
        _fill(wanted, root, lock, say)

    def second(line: str) -> None:
        words.append(line)
        go_on.set()

    first = threading.Thread(target=cache.ensure, args=("stable", _quiet, tmp_path, slow))
    first.start()
    assert begun.wait(10)
    image = cache.ensure("stable", second, tmp_path, slow)
    first.join()
    assert built == ["once"]
    assert words == ["waiting for another process that builds this image"]
    assert image.root.is_dir()


def test_a_failed_build_leaves_nothing(tmp_path: Path) -> None:
    """Not even what it had made; Ctrl-C counts as well."""

    def broken(wanted: Recipe, root: Path, lock: int, say: Say) -> None:
        _fill(wanted, root, lock, say)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.ensure("stable", _quiet, tmp_path, broken)
    assert cache.find("stable", tmp_path) is None
    assert [path.suffix for path in tmp_path.iterdir()] == [".lock"]


ENDLESS = """
import sys, time
from pathlib import Path
from brokers.image import cache

def endless(recipe, root, lock, say):
    (root / "file").write_text("half")
    print("begun", flush=True)
    time.sleep(600)

cache.ensure("stable", lambda line: None, Path(sys.argv[1]), endless)
"""


def test_a_killed_build_counts_for_nothing_and_is_cleaned_by_the_next(tmp_path: Path) -> None:
    """What it left is no image; the next build takes the lock, removes the rest, and succeeds."""
    with subprocess.Popen([sys.executable, "-c", ENDLESS, tmp_path], stdout=subprocess.PIPE) as builder:
        assert builder.stdout is not None
        assert builder.stdout.readline() == b"begun\n"
        builder.kill()
    assert len(list(tmp_path.glob("*.building-*"))) == 1
    assert cache.find("stable", tmp_path) is None
    cache.ensure("stable", _quiet, tmp_path, _fill)
    assert list(tmp_path.glob("*.building-*")) == []


def test_an_image_without_its_manifest_is_built_anew(tmp_path: Path) -> None:
    """The manifest is what says that it is finished."""
    built = cache.ensure("stable", _quiet, tmp_path, _fill)
    (built.root.parent / cache.MANIFEST).write_text("{")
    assert cache.find("stable", tmp_path) is None
    assert cache.ensure("stable", _quiet, tmp_path, _fill) == built


def test_removal_says_whether_there_was_one(tmp_path: Path) -> None:
    """And leaves no tree behind."""
    assert cache.remove("stable", tmp_path / "none") is False
    built = cache.ensure("stable", _quiet, tmp_path, _fill)
    assert cache.remove("stable", tmp_path) is True
    assert not built.root.exists()
    assert cache.remove("stable", tmp_path) is False


def test_an_unknown_recipe_is_an_error_everywhere(tmp_path: Path) -> None:
    """Before anything is touched."""
    for verb in (cache.find, cache.remove, cache.show):
        with pytest.raises(ImageError, match="no image recipe 'x'"):
            verb("x", tmp_path)


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """One message, with the folder."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ImageError, match="cannot be built in"):
        cache.ensure("stable", _quiet, tmp_path / "file", _fill)


def test_show_names_versions_or_the_command_that_builds(tmp_path: Path) -> None:
    """For people."""
    assert "bench image build stable" in cache.show("stable", tmp_path)
    image = cache.ensure("stable", _quiet, tmp_path, _fill)
    text = cache.show("stable", tmp_path)
    assert "org.apache.qpid:apache-qpid-broker-j 10.1.0" in text
    assert image.content_digest in text


def test_the_cache_follows_the_users_settings() -> None:
    """XDG_CACHE_HOME first, then ~/.cache."""
    assert cache.folder({"XDG_CACHE_HOME": "/c", "HOME": "/h"}) == Path("/c/busbench/images")
    assert cache.folder({"HOME": "/h"}) == Path("/h/.cache/busbench/images")
    assert recipe("stable").digest() != recipe("current").digest()
