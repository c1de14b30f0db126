"""`bench image`: build, show and remove the cloud-services image."""

from typing import Annotated

import typer

from bench.cli.completion import recipe_names
from bench.cli.console import EXIT_FAILED, EXIT_USAGE, err, fail, out
from bench.scenario.products import from_image
from bench.scenario.scenario import MemoryBroker, Scenario
from brokers import image
from brokers.byte_sizes import size_words
from brokers.registry import products

image_app = typer.Typer(
    help="The cloud-services image: one root file system with every broker.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
)

_Name = Annotated[str, typer.Argument(help="Name of the recipe.", autocompletion=recipe_names)]


@image_app.command()
def build(recipe: _Name = "stable") -> None:
    """Build an image into the user's cache folder, unless it is there already."""
    try:
        found = image.ensure(recipe, err.print)
    except image.ImageError as error:
        fail(_code(recipe), str(error))
    out.print(str(found.root))


@image_app.command()
def show(recipe: _Name = "stable", packages: Annotated[bool, typer.Option(help="List every package.")] = False) -> None:
    """Print what is known of a built image."""
    try:
        found = image.find(recipe)
    except image.ImageError as error:
        fail(EXIT_USAGE, str(error))
    if found is None:
        fail(EXIT_FAILED, f"image {recipe} is not built: run `bench image build {recipe}`")
    out.print(f"recipe          {found.recipe.name}\nroot            {found.root}")
    out.print(f"content digest  {found.content_digest}\nsize            {size_words(found.size)}")
    notable = [part for one in products().installed.values() for part in one.member.parts]
    for name, version in sorted(found.packages.items()):
        if packages or any(part in name for part in notable):
            out.print(f"{name}  {version}")


@image_app.command()
def rm(recipe: _Name = "stable") -> None:
    """Remove a built image."""
    try:
        gone = image.remove(recipe)
    except image.ImageError as error:
        fail(_code(recipe), str(error))
    out.print(f"image {recipe} {'removed' if gone else 'was not there'}")


def _code(recipe: str) -> int:
    return EXIT_FAILED if recipe in image.recipe_names() else EXIT_USAGE


def check_recipes(scenario: Scenario) -> None:
    """Leave with exit code 2 where a broker names a recipe that is not there."""
    known = image.recipe_names()
    faults = [
        f"brokers.{index}.image: there is no recipe {broker.image!r}: choose one of {', '.join(known)}"
        for index, broker in enumerate(scenario.brokers)
        if not isinstance(broker, MemoryBroker) and from_image(broker) and broker.image not in known
    ]
    if faults:
        fail(EXIT_USAGE, *faults)


def ensure_images(scenario: Scenario) -> dict[str, image.Image]:
    """Return the images of all brokers in a sandbox by recipe, built where missing; leave with 4 where they cannot."""
    recipes = sorted(
        {broker.image for broker in scenario.brokers if not isinstance(broker, MemoryBroker) and from_image(broker)}
    )
    try:
        return {name: image.ensure(name, err.print) for name in recipes}
    except image.ImageError as error:
        fail(EXIT_FAILED, str(error))
