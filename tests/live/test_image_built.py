"""The image that live tests run from."""

from pathlib import Path

from brokers import image
from brokers.image import content


def test_the_manifest_is_that_of_the_tree(image_root: Path) -> None:
    """The content digest can be taken again, by anyone, and every package is listed with its version."""
    found = image.find("stable")
    assert found is not None
    assert found.root == image_root
    assert content.digest(content.survey(image_root)) == found.content_digest
    named = [*found.recipe.packages, *(artifact.identity for artifact in found.recipe.maven)]
    assert all(found.packages[name] for name in named)
    assert len(found.packages) > 50


def test_the_image_is_under_a_gigabyte_and_holds_no_trace_of_its_builder(image_root: Path) -> None:
    """Nor a secret that all brokers would share."""
    assert content.size(image_root) < 1_000_000_000
    assert [name for name in content.UNSTABLE if (image_root / name).exists()] == []
