"""Built images in the user's cache folder: found, made once, removed.

```
$XDG_CACHE_HOME/busbench/images/
  <recipe digest>/root/         the root file system
  <recipe digest>/image.json    Manifest; a folder without it is not an image
  <recipe digest>/index.json    what its root holds, with stamps; by it a changed image is found
  <recipe digest>.lock          held by whoever builds or removes it
  <recipe digest>.building-*/   an image in the making; renamed into place when finished
```
"""

import contextlib
import fcntl
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from brokers.byte_sizes import size_words
from brokers.image import content
from brokers.image.build import Builder, Say, build
from brokers.image.recipe import ImageError, Recipe, recipe
from brokers.plain_text import printable
from brokers.settings import Frozen
from brokers.user_cache import user_cache

MANIFEST = "image.json"
INDEX = "index.json"
_NAMED = 3
"""Changed files that are named."""


class Manifest(Frozen):
    """What is known of a built image."""

    recipe: Recipe
    content_digest: str
    packages: dict[str, str]
    """Version by name: every Debian package, and Maven artifacts as groupId:artifactId."""
    size: int
    """Bytes on disk."""


@dataclass(frozen=True)
class Image:
    """A built image.

    Attributes:
        recipe: what it was made from.
        root: its root file system.
        content_digest: what identifies it, wherever and whenever it was built.
        packages: version by name of everything in it.
        size: bytes on disk.
    """

    recipe: Recipe
    root: Path
    content_digest: str
    packages: dict[str, str]
    size: int


def folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the cache folder of images."""
    return user_cache(environ) / "images"


def find(name: str, cache: Path | None = None) -> Image | None:
    """Return the built image of a recipe, or None.

    Raises:
        ImageError: no such recipe.
    """
    wanted = recipe(name)
    return _load(wanted, (cache or folder()) / wanted.digest())


def ensure(name: str, say: Say, cache: Path | None = None, builder: Builder = build) -> Image:
    """Return the image of a recipe, building it where it is missing, or no longer what its digest says.

    Of several callers at once one builds, the others wait for it. What was built is looked through once a call: files
    whose inode, size and times are as they were, are; others are read again.

    Args:
        name: of a shipped recipe.
        say: takes a line of progress.
        cache: folder of images; by default the user's.
        builder: fills the root file system.

    Raises:
        ImageError: no such recipe, or it cannot be built.
    """
    found = find(name, cache)
    if found is not None and not changed(found):
        return found
    wanted = recipe(name)
    place = (cache or folder()) / wanted.digest()
    try:
        with _locked(place, say) as lock:
            found = _load(wanted, place)
            differs = changed(found) if found is not None else []
            if found is not None and not differs:
                return found
            if differs:
                more = f" and {len(differs) - _NAMED} more" if len(differs) > _NAMED else ""
                where = printable(", ".join(differs[:_NAMED]))
                say(f"the image {name!r} was changed ({where}{more}): it is built anew")
            return _make(wanted, place, lock, say, builder)
    except OSError as error:
        message = f"the image {name!r} cannot be built in {place.parent}: {error}"
        raise ImageError(message) from error


def changed(image: Image) -> list[str]:
    """Return the paths in which a built image is not what it was when it was built; empty where it is.

    An image without an index, of an older busbench, is read whole once.
    """
    file = image.root.parent / INDEX
    known = _index(file)
    if known is not None and content.digest(known) != image.content_digest:
        known = None  # it is of something else
    try:
        now = content.survey(image.root, known or {})
    except OSError as error:
        return [str(error.filename or image.root)]
    if known is None:
        differs = [] if content.digest(now) == image.content_digest else [str(image.root)]
    else:
        differs = content.changes(known, now)
    if not differs and now != known:
        with contextlib.suppress(OSError):  # a cache that cannot be written is read whole each time
            _keep(file, now)
    return differs


def _index(file: Path) -> content.Index | None:
    try:
        held = json.loads(file.read_text())
        return {path: content.Entry(what, tuple(stamp)) for path, (what, stamp) in held.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return None


def _keep(file: Path, index: content.Index) -> None:
    part = file.with_suffix(f".{os.getpid()}.part")
    part.write_text(json.dumps(index))
    part.replace(file)


def remove(name: str, cache: Path | None = None) -> bool:
    """Remove the built image of a recipe; return whether there was one. No broker may run from it.

    Raises:
        ImageError: no such recipe, or it cannot be removed.
    """
    place = (cache or folder()) / recipe(name).digest()
    if not place.parent.exists():
        return False
    try:
        with _locked(place, lambda _: None):
            there = place.exists()
            _sweep(place)
            if there:
                # Gone at once for everyone else, then deleted.
                doomed = Path(tempfile.mkdtemp(prefix=f"{place.name}.building-", dir=place.parent))
                place.rename(doomed / "old")
                content.delete(doomed)
            return there
    except OSError as error:
        message = f"the image {name!r} cannot be removed: {error}"
        raise ImageError(message) from error


def show(name: str, cache: Path | None = None) -> str:
    """Return what is known of a recipe and its image, for people.

    Raises:
        ImageError: no such recipe.
    """
    wanted = recipe(name)
    image = find(name, cache)
    lines = [
        f"{wanted.name}: {wanted.description}",
        f"  recipe   {wanted.digest()}",
        f"  suite    Debian {wanted.suite}",
    ]
    if image is None:
        return "\n".join([*lines, f"  not built: bench image build {name}"])
    named = [*wanted.packages, *(artifact.identity for artifact in wanted.maven)]
    lines += [
        f"  content  {image.content_digest}",
        f"  folder   {image.root.parent}",
        f"  size     {size_words(image.size)}, {len(image.packages)} packages",
        *(f"  holds    {package} {image.packages.get(package, '?')}" for package in named),
    ]
    return "\n".join(lines)


def _load(wanted: Recipe, place: Path) -> Image | None:
    try:
        manifest = Manifest.model_validate_json((place / MANIFEST).read_text())
    except (OSError, ValidationError):
        return None
    return Image(wanted, place / "root", manifest.content_digest, manifest.packages, manifest.size)


def _make(wanted: Recipe, place: Path, lock: int, say: Say, builder: Builder) -> Image:
    _sweep(place)
    if place.exists():  # an image whose manifest cannot be read
        content.delete(place)
    building = Path(tempfile.mkdtemp(prefix=f"{place.name}.building-", dir=place.parent))
    try:
        root = building / "root"
        root.mkdir()
        builder(wanted, root, lock, say)
        say("taking the content digest")
        content.normalise(root, wanted.unstable)
        packages = {**content.packages(root), **{one.identity: one.version for one in wanted.maven}}
        index = content.survey(root)
        manifest = Manifest(
            recipe=wanted, content_digest=content.digest(index), packages=packages, size=content.size(root)
        )
        _keep(building / INDEX, index)
        (building / MANIFEST).write_text(manifest.model_dump_json(indent=1))
        building.rename(place)
    except BaseException:
        content.delete(building)
        raise
    image = _load(wanted, place)
    if image is None:
        message = f"the manifest at {place} vanished while it was written"
        raise ImageError(message)
    return image


def _sweep(place: Path) -> None:
    """Delete what interrupted builds of this image left; only under its lock."""
    for left in place.parent.glob(f"{place.name}.building-*"):
        content.delete(left)


@contextlib.contextmanager
def _locked(place: Path, say: Say) -> Iterator[int]:
    """Hold the lock of one image; yield its file descriptor.

    Tools inherit the descriptor: should we be killed, the lock is free when the last of
    them has ended, so that no other build runs while orphans still do.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    with (place.parent / f"{place.name}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another process that builds this image")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield file.fileno()
