"""Products and places as packages bring them: what is found, what is left out and why, what listing them costs."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from brokers.entry_points import Declared, Group, collect
from brokers.registry import (
    PLACES,
    PRODUCTS,
    _place_faults,
    _product_faults,
    place_of,
    places,
    product_of,
    products,
    settings_models,
)

SOUND = """
import re
from typing import Literal
from brokers.log_patterns import LogPatterns
from brokers.product import Product
from brokers.settings import BrokerSettings
class Settings(BrokerSettings):
    kind: Literal["odd"]
class Odd(Product):
    kind, title, short, summary = "odd", "Odd", "Odd", "odd"
    settings = Settings
    log = LogPatterns(ready=re.compile("x"), reasons=re.compile("x"))
    def listeners(self, settings): return ()
    def queue(self, settings, *, durable): ...
    def admin(self, settings, at): ...
PRODUCT = Odd()
"""
PROPERTY = """
class Worse(Odd):
    @property
    def summary(self): raise RuntimeError("oops")
PRODUCT = Worse()
"""
PLACE = """
from brokers.places.base import Place
class Odd(Place):
    name, summary = "odd", "odd"
    @classmethod
    def open(cls, given): ...
"""


def test_ours_are_all_there() -> None:
    """None is left out, each has its settings, and what is not started needs no program."""
    assert {"rabbitmq", "qpid-broker-j", "amqp091", "amqp10"} <= set(products().installed)
    assert set(places().installed) == {"sandbox", "external"}
    assert (products().unusable, places().unusable) == ((), ())
    assert len(set(settings_models())) == len(products().installed)
    for kind, one in products().installed.items():
        product = one.member
        assert product_of(product.settings.model_construct(kind=kind)) is product
        assert not product.starts or (product.parts and product.ports)


def test_an_unknown_product_or_place_is_named_with_those_there_are() -> None:
    """For settings that were read where another package was installed."""
    some = products().installed["rabbitmq"].member.defaults
    with pytest.raises(LookupError, match="'moon' is no product: choose rabbitmq, "):
        product_of(some.model_copy(update={"kind": "moon"}))
    with pytest.raises(LookupError, match="'moon' is no place: choose sandbox, external"):
        place_of(some.model_copy(update={"place": "moon"}))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("raise RuntimeError('oops')", "cannot be loaded: RuntimeError: oops"),
        ("PRODUCT = {}", "is a dict, not a brokers.product.Product"),
        (SOUND.replace('"odd", "Odd",', '"even", "Odd",'), "calls itself 'even': entry point and kind must agree"),
        (SOUND.replace('"Odd", "Odd"', '"Odd", 3'), "short of odd_product:PRODUCT is no text"),
        (SOUND.replace("settings = Settings", "settings = dict"), "no model derived from brokers.settings"),
        (SOUND.replace('Literal["odd"]', "str"), r"kind of its settings is no Literal\['odd'\]"),
        (SOUND.replace("log = ", "log_ = "), "its log is no brokers.product.LogPatterns"),
        (SOUND.replace("def admin", "def admin_"), "cannot be loaded: TypeError: Can't instantiate"),
        (SOUND.replace("odd", "memory"), "'memory' is the name of what is no product"),
        (SOUND.replace('kind: Literal["odd"]', 'kind: Literal["odd"]; at: "Path"'), "settings name is not to be had"),
        (SOUND.replace("short, summary = ", "short, summary_ = ") + PROPERTY, "cannot be checked: RuntimeError: oops"),
    ],
)
def test_a_broken_product_is_named_and_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, fault: str
) -> None:
    """One message with the package and the fault."""
    (tmp_path / "odd_product.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "odd_product", raising=False)
    found = collect(
        Group(PRODUCTS, "product", _product_faults), [Declared("odd", "other", "2.0", "odd_product:PRODUCT")]
    )
    assert found.installed == {}
    [unusable] = found.unusable
    assert str(unusable).startswith("package other 2.0: product 'odd' is left out: ")
    assert re.search(fault, str(unusable))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("Odd = 3", "is no class derived from brokers.places.base.Place"),
        (PLACE.replace('"odd", "odd"', '"even", "odd"'), "calls itself 'even': entry point and name must agree"),
        (PLACE.replace('"odd", "odd"', '"odd", None'), "summary of odd_place:Odd is no text"),
        (PLACE.replace("def open", "def open_"), "it leaves out open"),
    ],
)
def test_a_broken_place_is_named_and_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, fault: str
) -> None:
    """As a product is."""
    (tmp_path / "odd_place.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "odd_place", raising=False)
    found = collect(Group(PLACES, "place", _place_faults), [Declared("odd", "other", "2.0", "odd_place:Odd")])
    [unusable] = found.unusable
    assert re.search(fault, str(unusable))


def test_listing_imports_no_client() -> None:
    """Products are listed, and a scenario is read, before a client library or compiled code is needed."""
    code = (
        "import sys; from brokers.registry import places, products; products(), places();"
        "print([m for m in ('pika', 'proton', 'cproton', 'numba', 'pandas') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
