"""What goes into an image: suite, packages, Maven artifacts. Reading and digest; no building."""

import hashlib
import platform
import tomllib
from importlib import resources
from typing import Annotated

from pydantic import Field

from brokers.settings import Frozen

FORMAT = 1
"""Raised when the way an image is made from a recipe changes, so that old ones are not used."""


class Artifact(Frozen):
    """An archive from a Maven repository, unpacked into the image."""

    artifact: Annotated[str, Field(pattern=r"^[^:\s]+:[^:\s]+:[^:\s]+:tar\.gz(:[^:\s]+)?$")]
    """groupId:artifactId:version:tar.gz[:classifier]."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    folder: Annotated[str, Field(pattern=r"^/[a-z/]*$")]
    """Where it is unpacked."""

    @property
    def identity(self) -> str:
        """Return groupId:artifactId."""
        return ":".join(self.artifact.split(":")[:2])

    @property
    def version(self) -> str:
        """Return its version."""
        return self.artifact.split(":")[2]

    @property
    def file_name(self) -> str:
        """Return the name under which Maven copies it."""
        _, name, version, kind, *classifier = self.artifact.split(":")
        return "-".join([name, version, *classifier]) + f".{kind}"


class Recipe(Frozen):
    """One recipe file."""

    name: str
    description: str
    suite: str
    """Debian suite."""
    packages: tuple[str, ...]
    maven: tuple[Artifact, ...] = ()
    unstable: tuple[str, ...] = ()
    """Files of its packages that differ from build to build and that no broker reads: they are removed."""
    check_valid_until: bool = True
    """Refuse an index that is past its validity."""

    def digest(self, machine: str | None = None) -> str:
        """Return what identifies this recipe on this kind of machine: 16 hexadecimal digits.

        Name and description do not count: they change nothing in the image.
        """
        content = self.model_dump_json(exclude={"name", "description"})
        text = f"{FORMAT} {machine or platform.machine()} {content}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def recipe_names() -> tuple[str, ...]:
    """Return the names of the shipped recipes."""
    files = resources.files(__package__ or "").iterdir()
    return tuple(sorted(file.name.removesuffix(".toml") for file in files if file.name.endswith(".toml")))


def recipe(name: str) -> Recipe:
    """Return a shipped recipe.

    Raises:
        ImageError: there is none of that name.
    """
    if name not in recipe_names():
        message = f"there is no image recipe {name!r}: choose one of {', '.join(recipe_names())}"
        raise ImageError(message)
    text = (resources.files(__package__ or "") / f"{name}.toml").read_text()
    return Recipe.model_validate(tomllib.loads(text))


class ImageError(Exception):
    """An image cannot be built, found or removed; the message says why and what to do."""
