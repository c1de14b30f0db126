"""The image for OpenEmbedded: the layer `meta-busbench`, and what keeps it in step with our own recipe.

The recipe of the image (`brokers.image.recipe`) says which artifact in which version, and its
checksum. The layer repeats that where bitbake reads it, so it is written by `python -m brokers.image.yocto`
and never by hand. Which recipe of the layer carries which artifact follows from the name of the
archive that it fetches. The layer is for checkouts: wheels are without this folder.
"""

import re
from pathlib import Path

from brokers.image.recipe import Artifact, Recipe

LAYER = Path(__file__).parent / "meta-busbench"
_CHECKSUM = re.compile(r'^SRC_URI\[sha256sum\] = ".*"$', re.MULTILINE)


def carried(recipe: Recipe, layer: Path) -> dict[Path, Artifact]:
    """Return the artifacts of an image that a layer carries too, by the bitbake recipe that fetches it."""
    return {
        path: artifact
        for path in sorted(layer.rglob("*.bb"))
        for artifact in recipe.maven
        if f"/{artifact.file_name.replace(artifact.version, '${PV}')}" in path.read_text()
    }


def update(recipe: Recipe, layer: Path) -> list[Path]:
    """Write the versions and checksums of an image's artifacts into a layer.

    Returns:
        The bitbake recipes that were changed, by their new names: the version is part of a name.

    Raises:
        ValueError: a bitbake recipe has not exactly one line for the checksum.
    """
    changed = []
    for path, artifact in carried(recipe, layer).items():
        old = path.read_text()
        new, lines = _CHECKSUM.subn(f'SRC_URI[sha256sum] = "{artifact.sha256}"', old)
        if lines != 1:
            message = f'{path}: has {lines} lines `SRC_URI[sha256sum] = "…"`: write one'
            raise ValueError(message)
        target = path.with_name(f"{path.stem.partition('_')[0]}_{artifact.version}.bb")
        if (target, new) != (path, old):
            path.rename(target).write_text(new)
            changed.append(target)
    return changed
