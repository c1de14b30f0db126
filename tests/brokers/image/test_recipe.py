"""Recipes and their digests."""

import pytest

from brokers.activemq_classic.product import PRODUCT as ACTIVEMQ_CLASSIC
from brokers.artemis.product import PRODUCT as ARTEMIS
from brokers.image.recipe import Artifact, ImageError, recipe, recipe_names
from brokers.qpid_broker_j.product import PRODUCT as QPID_BROKER_J
from brokers.rabbitmq.product import PRODUCT as RABBITMQ

PRODUCTS = (RABBITMQ, QPID_BROKER_J, ARTEMIS, ACTIVEMQ_CLASSIC)


def test_every_shipped_recipe_holds_every_broker() -> None:
    """What products of ours are made of, but Erlang, which comes with RabbitMQ; and it is called as its file is."""
    assert recipe_names() == ("current", "stable")
    for name in recipe_names():
        found = recipe(name)
        assert found.name == name
        held = (*found.packages, *(one.identity for one in found.maven))
        missing = {part for one in PRODUCTS for part in one.parts if not any(part in name for name in held)}
        assert missing <= {"erlang-base"}


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
