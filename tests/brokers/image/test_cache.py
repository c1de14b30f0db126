"""The cache of images: found, built once, cleaned after interruptions, removed. The builder is a small fake."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from brokers.image import cache, content
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


def _tampered(root: Path, how: str) -> str:
    """Change a built image; return the path that was changed."""
    status = root / "var/lib/dpkg/status"
    if how == "content":
        status.write_text(status.read_text().replace("Version: 1", "Version: 2"))
    elif how == "content, times kept":
        before = status.stat()
        status.write_text(status.read_text().replace("Version: 1", "Version: 2"))
        os.utime(status, ns=(before.st_atime_ns, before.st_mtime_ns))
    elif how == "added":
        (root / "var/lib/dpkg/new").write_text("x")
        return "var/lib/dpkg/new"
    elif how == "mode":
        status.chmod(0o755)
    else:
        status.unlink()
    return "var/lib/dpkg/status"


@pytest.mark.parametrize("how", ["content", "content, times kept", "added", "mode", "removed"])
def test_a_changed_image_is_named_and_built_anew(how: str, tmp_path: Path) -> None:
    """It is never used under its old digest."""
    built = cache.ensure("stable", _quiet, tmp_path, _fill)
    assert cache.changed(built) == []
    path = _tampered(built.root, how)
    assert cache.changed(built) == [path]
    words: list[str] = []
    again = cache.ensure("stable", words.append, tmp_path, _fill)
    assert words[0] == f"the image 'stable' was changed ({path}): it is built anew"
    assert again.content_digest == built.content_digest
    assert cache.changed(again) == []


def test_an_image_whose_files_were_only_touched_is_used(tmp_path: Path) -> None:
    """Its files are read again, once, and found to be what they were."""
    built = cache.ensure("stable", _quiet, tmp_path, _fill)
    file = built.root.parent / cache.INDEX
    before = file.read_text()
    os.utime(built.root / "var/lib/dpkg/status")
    assert cache.changed(built) == []
    assert file.read_text() != before


def test_an_image_without_an_index_is_held_to_its_digest(tmp_path: Path) -> None:
    """One of an older busbench: sound, it gets an index; changed, it is named."""
    built = cache.ensure("stable", _quiet, tmp_path, _fill)
    file = built.root.parent / cache.INDEX
    file.unlink()
    assert cache.changed(built) == []
    file.write_text("no index")
    _tampered(built.root, "content")
    assert cache.changed(built) == [str(built.root)]


def test_an_index_that_was_made_to_fit_is_not_believed(tmp_path: Path) -> None:
    """What it says must have the digest of the image."""
    built = cache.ensure("stable", _quiet, tmp_path, _fill)
    _tampered(built.root, "content")
    cache._keep(built.root.parent / cache.INDEX, content.survey(built.root))
    assert cache.changed(built) == [str(built.root)]
