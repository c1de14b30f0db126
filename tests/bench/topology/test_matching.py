"""Which queues a key is owed to, against a twin that is slow and obvious."""

from collections.abc import Mapping

from hypothesis import given, settings
from hypothesis import strategies as st

from bench.topology.matching import owed, takes
from brokers.topology import Argument, Binding, ExchangeType
from tests.examples import examples

words = st.lists(st.sampled_from(["a", "b", "", "*", "#", "a*"]), min_size=1, max_size=6)
keys = st.lists(st.sampled_from(["a", "b", "", "c"]), min_size=1, max_size=6)


def split(key: str) -> list[str]:
    """Return the words of a key: none of an empty one."""
    return key.split(".") if key else []


def matches(wanted: list[str], given: list[str]) -> bool:
    """Return whether words match those of a pattern, word by word."""
    if not wanted:
        return not given
    if wanted[0] == "#":
        return any(matches(wanted[1:], given[begin:]) for begin in range(len(given) + 1))
    return bool(given) and wanted[0] in ("*", given[0]) and matches(wanted[1:], given[1:])


def twin(kind: ExchangeType, one: Binding, key: str, headers: Mapping[str, Argument]) -> bool:
    """Return whether a binding takes a message."""
    if kind == "fanout":
        return True
    if kind == "direct":
        return one.key == key
    if kind == "topic":
        return matches(split(one.key), split(key))
    asked = [(name, value) for name, value in one.arguments.items() if name[:2] != "x-"]
    count = sum(name in headers and headers[name] == value for name, value in asked)
    return count > 0 if one.arguments.get("x-match") == "any" else count == len(asked)


@settings(max_examples=examples(10))
@given(words, keys)
def test_patterns_equal_their_recursive_twin(wanted: list[str], key: list[str]) -> None:
    """Words and wildcards in any order, empty words as well."""
    found = owed("topic", [Binding("e", "q", ".".join(wanted))], [".".join(key)], {})
    assert found == ((("q",) if matches(split(".".join(wanted)), split(".".join(key))) else ()),)


arguments = st.dictionaries(st.sampled_from(["h", "i", "j"]), st.sampled_from([1, 2, "x"]), max_size=3)
bindings = st.builds(
    lambda queue, words, wanted, how: Binding("e", queue, ".".join(words), wanted | how),
    st.sampled_from(["p", "q", "r"]),
    words,
    arguments,
    st.sampled_from([{}, {"x-match": "all"}, {"x-match": "any"}]),
)


@settings(max_examples=examples(4))
@given(
    st.sampled_from(["direct", "topic", "fanout", "headers"]),
    st.lists(bindings, max_size=8),
    st.lists(keys.map(".".join), min_size=1, max_size=6),
    arguments,
)
def test_what_is_owed_equals_binding_by_binding(
    kind: ExchangeType, given: list[Binding], texts: list[str], headers: dict[str, Argument]
) -> None:
    """Each queue once, in the order of bindings, for every type of exchange."""
    expected = [tuple(dict.fromkeys(one.queue for one in given if twin(kind, one, key, headers))) for key in texts]
    assert list(owed(kind, given, texts, headers)) == expected


def test_headers_that_match_all_or_any() -> None:
    """Without `x-match` all are wanted; a binding that asks for none takes every message by `all`, none by `any`."""
    given: dict[str, Argument] = {"h": 1, "i": "x"}
    assert takes({"h": 1, "i": "x"}, given)
    assert not takes({"h": True}, given)
    assert not takes({"h": 1, "i": "y"}, given)
    assert takes({"h": 1, "i": "y", "x-match": "any"}, given)
    assert takes({}, given)
    assert not takes({"x-match": "any"}, given)
    assert takes({"h": 1, "x-other": 1}, given)
    assert not takes({"h": 1, "x-other": 1, "x-match": "all-with-x"}, given)
    assert takes({"x-other": 1, "h": 2, "x-match": "any-with-x"}, {"x-other": 1})


def test_a_long_pattern_takes_no_time() -> None:
    """Many wildcards side by side are tried in one way, not in every."""
    assert owed("topic", [Binding("e", "q", ".".join(["#"] * 60 + ["z"]))], [".".join("a" * 120)], {}) == ((),)
