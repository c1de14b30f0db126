"""No product's name stands in code outside its own folder: products are known by their contract alone.

Looked at are identifiers and string literals of the three packages. Docstrings and comments may cite a product, links
its documentation; the crosscheck is about tools that carry a product's name. Recipes and scenarios are no Python.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NAMES = re.compile(r"rabbit|qpid|broker[-_ ]?j(?![a-z])|artemis|activemq", re.IGNORECASE)
NO_PRODUCT = re.compile(r"qpid[-_ ]proton|amq\.rabbitmq\.reply-to|https?://\S+", re.IGNORECASE)
"""A client library, a word of the protocol that several products understand, and citations."""
EXEMPT = ("bench/crosscheck/", "bench/cli/crosscheck.py", "bench/cli/crosscheck_work.py")


def product_folders() -> tuple[str, ...]:
    """Return the folders of products: packages of `brokers` with a module `product`."""
    return tuple(f"{path.parent.relative_to(ROOT)}/" for path in sorted((ROOT / "brokers").glob("*/product.py")))


def sources() -> list[str]:
    """Return every module that must not name a product, by its path."""
    found = (path for package in ("bench", "brokers", "reports") for path in sorted((ROOT / package).rglob("*.py")))
    names = (str(path.relative_to(ROOT)) for path in found)
    return [name for name in names if not name.startswith((*product_folders(), *EXEMPT))]


def named(source: str) -> Iterator[str]:
    """Yield each identifier or string literal that names a product, with its line."""
    tree = ast.parse(source)
    # An expression that is a string alone is a docstring, of a module, class or function or of the field above it.
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            words = [node.value]
        else:
            words = [
                value
                for field in ("id", "attr", "arg", "name", "asname", "module")
                if isinstance(value := getattr(node, field, None), str)
            ]
        for word in words:
            if NAMES.search(NO_PRODUCT.sub("", word)):
                yield f"{getattr(node, 'lineno', 0)}: {word}"


def test_the_folders_of_products_are_known() -> None:
    """So that the rule does not pass because nothing was found."""
    ours = ("rabbitmq", "qpid_broker_j", "artemis", "activemq_classic")
    assert {f"brokers/{name}/" for name in ours} <= set(product_folders())
    assert len(sources()) > 200


def test_no_product_is_named() -> None:
    """Neither in a name nor in a text that code compares, prints or writes."""
    found = {path: [*named((ROOT / path).read_text())] for path in sources()}
    assert {path: words for path, words in found.items() if words} == {}


@pytest.mark.parametrize(
    "line",
    [
        'if kind == "rabbitmq":\n    pass',
        "import brokers.qpid_broker_j.config",
        "from brokers.artemis import product",
        "broker_j_heap = 1",
        "x.is_rabbit()",
        "def f(qpid: int) -> None: ...",
        'print(f"ask {name} of ActiveMQ")',
        "f(artemis=1)",
        'TEXT = "Broker-J gives credit"',
    ],
)
def test_a_name_is_seen(line: str) -> None:
    """In every place where code can hold it."""
    assert [*named(line)]


def test_citations_and_libraries_are_no_products() -> None:
    """A docstring, a comment, a link, and Proton."""
    text = '"""As RabbitMQ does."""\nx = 1\n"""Artemis too."""\n# Broker-J\ny = "https://qpid.apache.org/x"\n'
    assert [*named(text + 'z = "python-qpid-proton"\n')] == []
