"""What verbs that start brokers need of images: that recipes exist, and that images are built."""

from bench.cli.console import EXIT_FAILED, EXIT_USAGE, err, fail
from bench.products import from_image
from bench.scenario import MemoryBroker, Scenario
from brokers import image


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
