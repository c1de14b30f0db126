"""Recipes and their digests."""

import pytest

from brokers.image.recipe import Artifact, ImageError, recipe, recipe_names


def test_every_shipped_recipe_holds_both_brokers() -> None:
    """And is called as its file is."""
    assert recipe_names() == ("current", "stable")
    for name in recipe_names():
        found = recipe(name)
        assert found.name == name
        assert "rabbitmq-server" in found.packages
        assert any(one.identity == "org.apache.qpid:apache-qpid-broker-j" for one in found.maven)


def test_an_unknown_recipe_is_told_with_those_there_are() -> None:
    """The next step is in the message."""
    with pytest.raises(ImageError, match="'forky': choose one of current, stable"):
        recipe("forky")


def test_the_digest_follows_content_and_machine_only() -> None:
    """A description may be mended without building anew."""
    one = recipe("stable")
    assert one.digest("x86_64") == one.model_copy(update={"description": "!", "name": "n"}).digest("x86_64")
    assert one.digest("x86_64") != one.digest("aarch64")
    assert one.digest("x86_64") != one.model_copy(update={"suite": "sid"}).digest("x86_64")
    assert one.digest("x86_64") != one.model_copy(update={"packages": ("a",)}).digest("x86_64")


def test_an_artifact_knows_the_name_of_its_file() -> None:
    """As Maven copies it: with or without a classifier."""
    bare = Artifact(artifact="g:a:1:tar.gz", sha256="0" * 64, folder="/opt")
    assert (bare.identity, bare.version, bare.file_name) == ("g:a", "1", "a-1.tar.gz")
    assert bare.model_copy(update={"artifact": "g:a:1:tar.gz:bin"}).file_name == "a-1-bin.tar.gz"
