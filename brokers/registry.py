"""The products and places there are: any package can bring one by an entry point; see docs/brokers.md, docs/places.md.

To add one here: its folder, and its line in pyproject.toml under
`[project.entry-points."busbench.brokers"]` or `[project.entry-points."busbench.places"]`;
nothing else names it.
"""

from collections.abc import Iterator
from functools import cache
from typing import Any, TypeVar, get_args

from brokers.entry_points import Declared, Group, Registry, collect, declared, said
from brokers.log_patterns import LogPatterns
from brokers.places.base import Place
from brokers.product import Product
from brokers.settings import BrokerSettings

T = TypeVar("T")
RESERVED = ("memory",)
"""The scripted broker of scenarios on virtual time."""

PRODUCTS = "busbench.brokers"
PLACES = "busbench.places"


@cache
def products() -> Registry[Product[Any]]:
    """Look for products, once in a process."""
    return collect(Group(PRODUCTS, "product", _product_faults), declared(PRODUCTS))


@cache
def places() -> Registry[type[Place]]:
    """Look for places, once in a process."""
    return collect(Group(PLACES, "place", _place_faults), declared(PLACES))


def product_of(settings: BrokerSettings) -> Product[Any]:
    """Return the product of some settings.

    Raises:
        LookupError: no installed package brings it.
    """
    return _member(products(), settings.kind)


def place_of(settings: BrokerSettings) -> type[Place]:
    """Return the place of some settings.

    Raises:
        LookupError: no installed package brings it.
    """
    return _member(places(), settings.place)


def lacks(place: type[Place]) -> str | None:
    """Return what this machine lacks for a place, also where another package's place fails to say."""
    try:
        return place.lacks()
    except Exception as error:  # noqa: BLE001  (another package's code may raise anything)
        return f"it cannot tell what it needs ({said(error)})"


def settings_models() -> tuple[type[BrokerSettings], ...]:
    """Return the settings of every product."""
    return tuple(one.member.settings for one in products().installed.values())


def _member(found: Registry[T], name: str) -> T:
    if name not in found.installed:
        raise LookupError(found.unknown(name))
    return found.installed[name].member


def _product_faults(point: Declared, found: Any) -> Iterator[str]:
    if not isinstance(found, Product):
        yield f"{point.value} is a {type(found).__name__}, not a brokers.product.Product"
        return
    texts = ("kind", "title", "short", "summary")
    wrong = [name for name in texts if not isinstance(getattr(found, name, None), str)]
    if wrong:
        yield f"{', '.join(wrong)} of {point.value} is no text"
        return
    if found.kind != point.name:
        yield f"{point.value} calls itself {found.kind!r}: entry point and kind must agree"
    model = getattr(found, "settings", None)
    if not (isinstance(model, type) and issubclass(model, BrokerSettings)):
        yield "its settings are no model derived from brokers.settings.BrokerSettings"
    elif get_args(model.model_fields["kind"].annotation) != (found.kind,):
        yield f"the field kind of its settings is no Literal[{found.kind!r}]"
    elif model.model_rebuild(raise_errors=False) is False or not model.__pydantic_complete__:
        yield "a type that its settings name is not to be had when they are read"
    if found.kind in RESERVED:
        yield f"{found.kind!r} is the name of what is no product"
    if not isinstance(getattr(found, "log", None), LogPatterns):
        yield "its log is no brokers.product.LogPatterns"


def _place_faults(point: Declared, found: Any) -> Iterator[str]:
    if not (isinstance(found, type) and issubclass(found, Place)):
        yield f"{point.value} is no class derived from brokers.places.base.Place"
        return
    wrong = [name for name in ("name", "summary") if not isinstance(getattr(found, name, None), str)]
    if wrong:
        yield f"{', '.join(wrong)} of {point.value} is no text"
    elif found.name != point.name:
        yield f"{point.value} calls itself {found.name!r}: entry point and name must agree"
    if getattr(found, "__abstractmethods__", None):
        yield f"it leaves out {', '.join(sorted(found.__abstractmethods__))}"
